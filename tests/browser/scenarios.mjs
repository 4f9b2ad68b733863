// What people do, one after the other; each leaves in `made` what those after it and the pages need.
export const scenarios = {
  "a stranger is led to sign in, and back": async ({ base, check, person, accessible, tokens }) => {
    const page = await person();
    await page.goto(`${base}/trust`);
    check(page.url() === `${base}/sign-in?next=%2Ftrust`, `led to ${page.url()}`);
    await accessible(page, "sign-in");
    await page.getByLabel("Token").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Token").fill(tokens.admin);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${base}/trust`);
    const cookies = await page.context().cookies();
    check(cookies.length === 1 && cookies[0].name === "__Host-backstop" && cookies[0].httpOnly && cookies[0].secure && cookies[0].sameSite === "Strict", `cookies: ${JSON.stringify(cookies)}`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${base}/sign-in`);
    await page.goto(`${base}/trust`);
    check(page.url().includes("/sign-in"), "signed out, and still in");
    await page.context().close();
  },

  "what gets into a page all the same does not act": async ({ check, person, signIn, tokens }) => {
    const page = await person({ watched: false });
    await signIn(page, tokens.admin);
    const stopped = await page.evaluate(async () => {
      const stopped = [];
      document.addEventListener("securitypolicyviolation", (event) => stopped.push(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "window.acted = 1";
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      const elsewhere = document.createElement("script");
      elsewhere.src = "https://evil.example/x.js";
      document.head.append(script, style, elsewhere);
      const link = document.createElement("a");
      link.setAttribute("onclick", "window.acted = 1");
      document.body.append(link);
      link.click();
      await fetch("https://evil.example/").catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { acted: window.acted, hidden: getComputedStyle(document.body).display === "none", stopped: stopped.sort() };
    });
    const expected = { hidden: false, stopped: ["connect-src", "script-src-attr", "script-src-elem", "script-src-elem", "style-src-elem"] };
    check(JSON.stringify(stopped) === JSON.stringify(expected), `the policy let something through: ${JSON.stringify(stopped)}`);
    const framed = await page.evaluate(async () => (await fetch("/")).headers.get("content-security-policy"));
    check(framed.includes("frame-ancestors 'none'"), `may be framed: ${framed}`);
    await page.context().close();
  },

  "a deployment appears on an open page without its being loaded again": async ({ ask, base, check, made, people }) => {
    const page = people.admin;
    await page.goto(`${base}/`);
    await page.evaluate(() => { window.sameDocument = true; });
    const good = await ask("deploy", { commit: "aaaaaaa1", behaviour: "healthy" });
    await page.locator("main").getByText("shop", { exact: true }).first().waitFor();
    const run = await ask("ended", { deployment: good });
    made.good = good;
    made.run = run.id;
    await page.locator(`main a[href="/runs/${run.id}"]`).first().waitFor();
    check(await page.evaluate(() => window.sameDocument === true), "the overview was loaded again");
    check((await page.locator("#live").textContent()) !== "", "nobody was told of the change");
  },

  "a rollback is approved on the run's page, which follows it to its end": async ({ ask, base, check, made, people }) => {
    const bad = await ask("deploy", { commit: "bbbbbbb2", behaviour: "errors" });
    const asked = await ask("hear", { event: "approval.requested", deployment: bad });
    made.waiting = asked.run_id;
    // Whoever may only see is shown that something waits, and no button.
    await people.reader.goto(`${base}/runs/${asked.run_id}`);
    await people.reader.getByText("Decide: approve the rollback").waitFor();
    check((await people.reader.getByRole("button", { name: "Approve the rollback" }).count()) === 0, "a reader may approve");
    await people.reader.evaluate(() => { window.sameDocument = true; });
    const page = people.admin;
    await page.goto(`${base}/runs/${asked.run_id}`);
    check((await ask("targets")).length === 0, "rolled back before anybody approved");
    // A table that was opened, and what has the focus, outlive the page's changes.
    await page.getByText("The same as a table").click();
    await page.getByRole("button", { name: "Approve the rollback" }).click();
    await page.waitForURL(`${base}/runs/${asked.run_id}`);
    await page.getByText("The same as a table").click();
    const story = page.getByRole("link", { name: "Trust" });
    await story.focus();
    await page.evaluate(() => { window.sameDocument = true; });
    await page.getByRole("heading", { level: 1 }).getByText("rolled back").waitFor({ timeout: 60000 });
    check(await page.evaluate(() => window.sameDocument === true), "the run's page was loaded again");
    check(await page.locator("details[open]").count() === 1, "the table that was open is closed");
    check(await story.evaluate((one) => one === document.activeElement), "the focus was lost");
    check((await page.locator("#live").textContent()).includes("rolled back"), "nobody was told of the end");
    check(JSON.stringify(await ask("targets")) === JSON.stringify([made.good]), "rolled back to something else");
    // The platform made a deployment of its own for it, which was verified: the next one goes back to that.
    made.restored = await ask("current");
    await people.reader.getByRole("heading", { level: 1 }).getByText("rolled back").waitFor();
    check(await people.reader.evaluate(() => window.sameDocument === true), "the reader's page was loaded again");
  },

  "the alarm is said to be right, without script": async ({ base, check, made, people, ask }) => {
    const page = people.plain;
    await page.goto(`${base}/runs/${made.waiting}`);
    await page.getByRole("button", { name: "bad", exact: true }).click();
    await page.waitForURL(`${base}/runs/${made.waiting}`);
    const trust = await ask("api", { path: "/api/v1/trust" });
    const alarms = trust.items.flatMap((app) => app.alarms).filter((alarm) => alarm.run === made.waiting);
    check(alarms.length === 1 && alarms[0].happened === "labelled_right", `the label was not kept: ${JSON.stringify(alarms)}`);
  },

  "a run that waits is cancelled by keyboard": async ({ ask, base, made, people }) => {
    const bad = await ask("deploy", { commit: "ccccccc3", behaviour: "errors" });
    const asked = await ask("hear", { event: "approval.requested", deployment: bad });
    made.run = asked.run_id;
    const page = people.admin;
    await page.goto(`${base}/runs/${asked.run_id}`);
    const button = page.getByRole("button", { name: "Cancel the run" });
    for (let step = 0; step < 40 && !(await button.evaluate((one) => one === document.activeElement)); step++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1 }).getByText("cancelled").waitFor();
  },

  "a deployment is rolled back because a person says so": async ({ ask, base, check, made, people }) => {
    const live = await ask("deploy", { commit: "ddddddd4", behaviour: "healthy" });
    const run = await ask("ended", { deployment: live });
    const before = (await ask("targets")).length;
    const path = `${base}/runs/${run.id}`;
    await people.reader.goto(path);
    check((await people.reader.getByText("Roll back…").count()) === 0, "a reader may roll back");
    const page = people.admin;
    await page.goto(path);
    await page.getByText("Roll back…").click();
    await page.getByRole("button", { name: "Roll shop back now" }).click();
    await page.waitForURL(path);
    await page.getByRole("heading", { level: 1 }).getByText("rolled back").waitFor({ timeout: 60000 });
    const targets = (await ask("targets")).slice(before);
    check(JSON.stringify(targets) === JSON.stringify([made.restored]), `rolled back to ${targets}, not ${made.restored}`);
  },

  "an app is paused and resumed": async ({ ask, base, check, people }) => {
    const paused = async () => (await ask("api", { path: "/api/v1/pauses" })).items.map((pause) => pause.app);
    const page = people.admin;
    await page.goto(`${base}/pauses`);
    await page.getByLabel("App").fill("shop");
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByRole("button", { name: "Resume shop", exact: true }).waitFor();
    check((await paused()).includes("shop"), "it is not paused");
    await people.reader.goto(`${base}/pauses`);
    check((await people.reader.locator("main form").count()) === 0, "a reader may pause");
    await page.getByRole("button", { name: "Resume shop", exact: true }).click();
    await page.getByRole("button", { name: "Resume shop", exact: true }).waitFor({ state: "detached" });
    check(!(await paused()).includes("shop"), "it is paused still");
  },

  "a message that was given up is sent again": async ({ ask, base, check, people }) => {
    const message = () => ask("api", { path: "/api/v1/messages/msg_hostile" });
    check((await message()).state === "dead", "it was not given up");
    await people.reader.goto(`${base}/messages/msg_hostile`);
    check((await people.reader.locator("main form").count()) === 0, "a reader may send");
    const page = people.admin;
    await page.goto(`${base}/messages/msg_hostile`);
    await page.getByRole("button", { name: "Send again" }).click();
    await page.getByRole("heading", { level: 1 }).getByText("delivered").waitFor();
    check((await message()).state === "delivered", "it was not sent");
  },

  "all that an endpoint gave up is sent again": async ({ ask, base, check, people }) => {
    await people.reader.goto(`${base}/endpoints`);
    check((await people.reader.locator("main form").count()) === 0, "a reader may send");
    const page = people.admin;
    await page.goto(`${base}/endpoints`);
    const button = page.getByRole("button", { name: "Send again what was given up for tests" });
    await button.click();
    await button.waitFor({ state: "detached" });
    await page.goto(`${base}/messages/msg_hostile_too`);
    await page.getByRole("heading", { level: 1 }).getByText("delivered").waitFor();
    check((await ask("api", { path: "/api/v1/messages/msg_hostile_too" })).state === "delivered", "it was not sent");
  },

  "an endpoint is switched off, and on again without script": async ({ ask, base, check, people }) => {
    const off = async () => (await ask("api", { path: "/api/v1/endpoints" })).items.find((one) => one.name === "tests").off_reason !== null;
    await people.admin.goto(`${base}/endpoints`);
    await people.admin.getByRole("button", { name: "Switch off tests" }).click();
    await people.admin.getByRole("button", { name: "Switch on tests" }).waitFor();
    check(await off(), "it is on still");
    await people.plain.goto(`${base}/endpoints`);
    await people.plain.getByRole("button", { name: "Switch on tests" }).click();
    await people.plain.getByRole("button", { name: "Switch off tests" }).waitFor();
    check(!(await off()), "it is off still");
  },

  "an endpoint is sent a test": async ({ base, people }) => {
    const page = people.admin;
    await page.goto(`${base}/endpoints`);
    await page.getByRole("button", { name: "Send a test to tests" }).click();
    await page.waitForURL(`${base}/messages/**`);
    await page.getByRole("heading", { level: 1 }).getByText("endpoint.test to tests: delivered").waitFor();
  },
};
