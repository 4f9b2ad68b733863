// Signs a body as the official libraries do, and prints the headers as JSON: `node sign.mjs LIBRARY SECRET BODY`.
// Must stand beside the `node_modules` that it imports from.
import fs from "node:fs";

const [, , library, secret, file] = process.argv;
const body = fs.readFileSync(file, "utf8");

const standard = (Webhook, prefix) => {
  const id = `msg_${process.pid}_${Date.now()}`;
  const now = new Date();
  return {
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(Math.floor(now.getTime() / 1000)),
    [`${prefix}-signature`]: new Webhook(secret).sign(id, now, body),
  };
};

const signers = {
  stripe: async () => {
    const { default: Stripe } = await import("stripe");
    const header = new Stripe("sk_test_unused").webhooks.generateTestHeaderString({ payload: body, secret });
    return { "stripe-signature": header };
  },
  github: async () => {
    const { sign } = await import("@octokit/webhooks-methods");
    return { "x-hub-signature-256": await sign(secret, body) };
  },
  "standard-webhooks": async () => standard((await import("standardwebhooks")).Webhook, "webhook"),
  svix: async () => standard((await import("svix")).Webhook, "svix"),
};

console.log(JSON.stringify(await signers[library]()));
