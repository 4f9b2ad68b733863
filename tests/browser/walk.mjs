// Walks through the pages in Chromium. Asks the test around it for what happens in the world (`ask`), says what it saw on
// standard output, and ends with 1 if anything was not as it must be.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pages } from "./pages.mjs";
import { scenarios } from "./scenarios.mjs";

const env = (name) => process.env[name] ?? fail(`${name} is not set`);
const fail = (why) => { throw new Error(why); };
export const base = env("BACKSTOP_URL");
const require = createRequire(`${env("TOOLS")}/package.json`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const HOSTILE = "<script>window.xss=1</script>";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
// What the test around it does, and what comes of it.
const ask = async (what, more = {}) => {
  process.stdout.write(`ask ${JSON.stringify({ do: what, ...more })}\n`);
  return JSON.parse((await lines.next()).value);
};

const browser = await chromium.launch({ executablePath: env("CHROMIUM"), args: ["--no-sandbox"] });
const wrongs = [];
const check = (holds, what) => { if (!holds) { wrongs.push(what); console.log(`  WRONG: ${what}`); } };

// A browser of somebody's own; what goes wrong in it is kept, unless it is to go wrong.
const person = async ({ watched = true, ...options } = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(20000);
  const page = await context.newPage();
  if (!watched) return page;
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of 40[13]/.test(message.text())) check(false, `${page.url()} says: ${message.text()}`);
  });
  page.on("pageerror", (error) => check(false, `${page.url()}: ${error}`));
  page.on("dialog", (dialog) => { check(false, `${page.url()} opened a dialog`); dialog.dismiss(); });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:")) check(false, `${page.url()} asked for ${url}`);
  });
  return page;
};
const signIn = async (page, token, next = "/") => {
  await page.goto(`${base}/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${base}${next}`);
};
const screenshot = (page, name) => page.screenshot({ path: `${env("SCREENSHOTS")}/${name}.png`, fullPage: true });

// No serious finding of axe, in either scheme.
const accessible = async (page, name) => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    check(found.passes !== undefined, `${name}: axe looked at nothing`);
    for (const one of found.violations.filter((one) => ["serious", "critical"].includes(one.impact))) {
      check(false, `${name} in ${colorScheme}: ${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
    }
    await screenshot(page, `${name}-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: null });
};

// Everything that can be used is reached by the Tab key in the order of the page, and seen to be there. A live page may change
// meanwhile; then it is walked again.
const byKeyboard = async (page, name, again = 3) => {
  // Where the focus is among what can be used: its place, how many there are, and whether it is seen.
  const here = () => page.evaluate(() => {
    const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
      .filter((one) => !one.disabled && one.checkVisibility());
    const one = document.activeElement;
    const style = getComputedStyle(one);
    return { at: all.indexOf(one), of: all.length, seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, html: one.outerHTML.slice(0, 80) };
  });
  await page.evaluate(() => { document.activeElement?.blur(); window.getSelection()?.removeAllRanges(); });
  const { of } = await here();
  const reached = [];
  for (let step = 0; step < of; step++) {
    await page.keyboard.press("Tab");
    const now = await here();
    if (now.of !== of && again > 0) return byKeyboard(page, name, again - 1);
    check(now.seen, `${name}: the focus is not seen on ${now.html}`);
    reached.push(now.at);
  }
  const inOrder = reached.length === of && reached.every((at, step) => at === step);
  if (!inOrder && again > 0) { await page.reload(); return byKeyboard(page, name, again - 1); }
  check(inOrder, `${name}: Tab goes another way than the page, which has ${of}: ${reached}`);
};

const look = async (row, made, people) => {
  const path = row.path(made);
  const page = people.admin;
  await page.goto(base + path);
  for (const text of row.shows) check((await page.locator("main").innerText()).includes(text), `${row.name} does not show ${text}`);
  check((await page.locator("h1").count()) === 1, `${row.name} has not one h1`);
  if (row.hostile) {
    check((await page.locator("main").innerText()).includes(HOSTILE), `${row.name} does not show what others wrote as text`);
  }
  check((await page.evaluate(() => window.xss)) === undefined, `${row.name}: what others wrote acted`);
  check((await page.locator("img, script:not([src='/live.js']), [onload], [onerror], [style]").count()) === 0, `${row.name}: what others wrote is markup`);
  await accessible(page, row.name);
  await byKeyboard(page, row.name);

  await people.phone.goto(base + path);
  const wide = await people.phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, `${row.name} is ${wide} px too wide for a phone`);
  await screenshot(people.phone, `${row.name}-phone`);

  await people.plain.goto(base + path);
  for (const text of row.shows) check((await people.plain.locator("main").innerText()).includes(text), `${row.name} without script does not show ${text}`);

  await people.reader.goto(base + path);
  for (const text of row.shows) check((await people.reader.locator("main").innerText()).includes(text), `${row.name} does not show a reader ${text}`);
  const forms = await people.reader.locator("main form[method=post]").count();
  check(forms === 0, `${row.name} shows a reader ${forms} actions`);
};

const made = { hostileRun: env("HOSTILE_RUN") };
const people = {
  admin: await person(),
  phone: await person({ viewport: { width: 360, height: 740 }, isMobile: true }),
  plain: await person({ javaScriptEnabled: false }),
  reader: await person(),
};
const tools = { ask, base, check, made, people, person, screenshot, signIn, accessible, tokens: { admin: env("ADMIN_TOKEN"), reader: env("READ_TOKEN") } };
try {
  for (const name of ["admin", "phone", "plain"]) await signIn(people[name], tools.tokens.admin);
  await signIn(people.reader, tools.tokens.reader);
  for (const [name, scenario] of Object.entries(scenarios)) {
    console.log(name);
    await scenario(tools);
  }
  for (const row of pages) {
    console.log(`page ${row.name}`);
    await look(row, made, people);
  }
} catch (error) {
  wrongs.push(String(error));
  console.log(error.stack);
  await screenshot(people.admin, "failed").catch(() => {});
}
await browser.close();
console.log(wrongs.length === 0 ? "all as it must be" : `${wrongs.length} wrong`);
process.exit(wrongs.length === 0 ? 0 : 1);
