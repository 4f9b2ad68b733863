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
};
