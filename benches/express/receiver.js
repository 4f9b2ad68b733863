// A webhook receiver as guides show it: verifies the HMAC over the raw body, drops duplicates it remembers in memory,
// answers 200. It stores nothing.
const crypto = require("node:crypto");
const express = require("express");

const secret = process.env.SECRET;
const seen = new Set();
const app = express();

app.post("/webhooks", express.raw({ type: "application/json" }), (req, res) => {
  const timestamp = req.get("x-webhook-timestamp") ?? "";
  const given = Buffer.from(req.get("x-webhook-signature") ?? "");
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  const mac = crypto.createHmac("sha256", secret).update(`${timestamp}.`).update(req.body).digest("hex");
  const expected = Buffer.from(mac);
  if (age > 300 || given.length !== expected.length || !crypto.timingSafeEqual(given, expected)) {
    return res.status(401).send("invalid signature");
  }
  const event = JSON.parse(req.body);
  if (!seen.has(event.delivery_id)) seen.add(event.delivery_id);
  res.status(200).json({ received: true });
});

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
