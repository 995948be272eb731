import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectSound, signIn, startBrowser, type Visit, visit } from "./browser";
import { PASSWORD, startServer, type TestServer } from "./server";
import { applyWorkflows } from "./workflows";

const HOSTILE = '<img src=x onerror="alert(1)"> \u202Eevil';
let server: TestServer;
let browser: Browser;
const open = async (path: string, options: Parameters<typeof visit>[3] = {}): Promise<Visit> =>
  visit(browser, server, path, options);

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  await applyWorkflows(server);
  await server.call("POST", "/v1/users", { name: "looker", password: PASSWORD, role: "VIEWER" });
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

describe("signing in", () => {
  it("refuses a wrong password in words, keeps the address, and ends with signing out", async () => {
    const { page, context, faults } = await open("/ui/tasks?open=1", { user: null });
    await page.getByLabel("Name").fill("admin");
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect.poll(() => page.getByRole("alert").count()).toBe(1);
    await signIn(page, "admin");
    expect(page.url()).toContain("/ui/tasks?open=1");
    await page.getByRole("button", { name: /account and display/ }).click();
    await page.getByRole("menuitem", { name: /Sign out/ }).click();
    await page.getByLabel("Password").waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe("the list", () => {
  it("shows new tasks behind a button, changes rows in place, and hostile names as text", async () => {
    const id = await server.start("waits");
    const { page, context, faults } = await open("/ui/tasks");
    const row = page.locator(`tr[data-key="${id}"]`);
    await row.getByText("In progress").waitFor();
    await page.locator("[data-feed=live]").waitFor();
    await server.start("quick", {}, HOSTILE);
    await page.getByRole("button", { name: /1 new: show/ }).click();
    await page.getByText('<img src=x onerror="alert(1)"> �evil').waitFor();
    await server.call("DELETE", `/v1/tasks/${id}`);
    await row.getByText("Cancelled").waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  it("keeps its filters in the address, through reloads and steps back", async () => {
    await server.start("quick", {}, "Needle in the stack");
    const { page, context } = await open("/ui/tasks");
    await page.getByText("Needle in the stack").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("needle");
    await page.keyboard.press("Enter");
    await page.getByText("Needle in the stack").waitFor();
    await expect.poll(() => page.locator("tr[data-key]").count()).toBe(1);
    await page.getByText("Needle in the stack").click();
    await page.getByRole("heading", { name: "Needle in the stack" }).waitFor();
    await page.goBack();
    await page.reload();
    await expect.poll(() => page.locator("tr[data-key]").count()).toBe(1);
    await context.close();
  });

  it("is shown by one connection in all tabs of a browser", async () => {
    const { page, context, faults } = await open("/ui/tasks");
    await page.locator("[data-feed=live]").waitFor();
    const streams: string[] = [];
    context.on(
      "request",
      (request) => request.url().includes("/v1/tasks/events") && streams.push(request.url()),
    );
    const tabs = await Promise.all(Array.from({ length: 6 }, () => context.newPage()));
    await Promise.all(tabs.map((tab) => tab.goto("/ui/tasks")));
    await Promise.all(tabs.map((tab) => tab.locator("[data-feed=live]").waitFor()));
    expect(streams).toEqual([]);
    // The tab that reads is closed: another one goes on.
    await page.close();
    const id = await server.start("quick");
    const last = tabs.at(-1);
    await last?.getByRole("button", { name: /1 new: show/ }).click();
    await last?.locator(`tr[data-key="${id}"]`).waitFor();
    expect(streams).toHaveLength(1);
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe("several tasks", () => {
  it("are cancelled at once after the number was written, with a result for each", async () => {
    const ids = [await server.start("waits"), await server.start("waits")];
    const { page, context, faults } = await open("/ui/tasks?status=IN_PROGRESS&type=WAITS");
    for (const id of ids) await page.locator(`tr[data-key="${id}"] input`).check();
    await page.getByRole("button", { name: "Cancel (2 can)" }).click();
    // One of them ends meanwhile: its refusal is shown with its name.
    await server.call("DELETE", `/v1/tasks/${ids[0]}`);
    await page.getByLabel("Reason").fill("the wrong rack");
    await page.getByLabel(/Write 2/).fill("2");
    await page.getByRole("button", { name: "Cancel 2 tasks" }).click();
    await page.getByText("2 of 2 asked, 1 refused.").waitFor();
    await page.getByRole("button", { name: "Close" }).last().click();
    for (const id of ids) await page.locator(`tr[data-key="${id}"]`).getByText("Cancelled").waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe("a task", () => {
  it("says what a retry does, asks for it with its reason, and follows the task", async () => {
    const id = await server.start("fails-once");
    const { page, context, faults } = await open(`/ui/tasks/${id}`);
    await page.getByText("<b>esx07</b> is silent").first().waitFor();
    await page.keyboard.press("r");
    const dialog = page.getByRole("dialog");
    await dialog.getByText("The task goes on from “Second”.").waitFor();
    await dialog.getByText("1 finished step is not run again.").waitFor();
    await dialog.getByText("HOST esx07 is free.").waitFor();
    await page.keyboard.type("the host is back");
    await page.keyboard.press("Enter");
    await page.getByText("Fails once: The task goes on from what failed").waitFor();
    await page.locator("main header").getByText("Successful").waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.getByText("the host is back").waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  it("is decided when its outcome is unknown, and a refusal is shown in the dialog", async () => {
    const id = await server.start("in-doubt");
    const { page, context } = await open(`/ui/tasks/${id}`);
    await page.getByText("Outcome unknown").first().waitFor();
    await page.getByRole("button", { name: "It was done" }).first().click();
    // Somebody else decides first.
    const decision = { subTask: "Risky", all: false, outcome: "done", reason: "seen by another" };
    await server.call("POST", `/v1/tasks/${id}/resolve`, decision);
    await page.getByLabel("Reason").fill("seen by me");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByRole("alert").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("main header").getByText("Successful").waitFor();
    await context.close();
  });

  it("with thousands of children has only what is in view in the document", async () => {
    const items = Array.from({ length: 3000 }, (_, index) => index);
    const id = await server.start("fan", { items });
    const { page, context } = await open(`/ui/tasks/${id}`);
    await page.getByRole("button", { name: /Each/ }).waitFor();
    await page.locator("main header").getByText("Successful").waitFor();
    const each = page.getByRole("button", { name: /Each/ }).first();
    if ((await each.getAttribute("aria-expanded")) === "false") await each.click();
    await page.getByRole("button", { name: /^Successful 3,000/ }).click();
    await page.getByText("Each[0]").waitFor();
    expect(await page.locator("[data-step]").count()).toBeLessThan(200);
    await context.close();
  });

  it("of which many steps failed goes on without them in one decision", async () => {
    const id = await server.start("fan-fails");
    const { page, context, faults } = await open(`/ui/tasks/${id}`);
    await page.locator("main header").getByText("Failed").waitFor();
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("menuitem", { name: "Skip all steps that failed (3)" }).click();
    await page.getByText("The task goes on without the 3 steps that failed.").waitFor();
    await page.getByLabel("Reason").fill("they are being replaced");
    await page.getByRole("button", { name: "Skip the step" }).click();
    await page.locator("main header").getByText("With warning").waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  it("shows what its steps write, as it is written, in colour and as text, and finds lines", async () => {
    const id = await server.start("writes");
    const { page, context, faults } = await open(`/ui/tasks/${id}?tab=logs`);
    await page.getByText("Nothing was written.").waitFor();
    const colour = "printf '\\033[31mred\\033[0m <b>bold</b> \\033]0;title\\007\\342\\200\\256end\\n'";
    server.work("paper", `seq 1 1200; ${colour}; sleep 2; echo last`);
    const lines = page.getByRole("log");
    await lines.getByText("red", { exact: true }).waitFor();
    await lines.getByText("<b>bold</b> �end").waitFor();
    await lines.getByText("last", { exact: true }).waitFor();
    await page.getByText("1,202 lines").waitFor();
    await page.getByLabel("Search the lines").fill("119");
    await page.getByText("12 of 1,202 lines").waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  it("shows a viewer no verbs", async () => {
    const id = await server.start("waits");
    const { page, context } = await open(`/ui/tasks/${id}`, { user: "looker" });
    await page.getByRole("heading", { name: "Waits" }).waitFor();
    expect(await page.getByRole("button", { name: /Cancel|Retry|More/ }).count()).toBe(0);
    await context.close();
  });
});

describe("by keyboard", () => {
  it("rows are walked, opened and selected, and the palette leads anywhere", async () => {
    await server.start("quick");
    const { page, context } = await open("/ui/tasks");
    await page.locator("tr[data-key]").first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    await page.keyboard.press("x");
    await page.getByText("1 selected").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Parts of the task" }).waitFor();
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").fill("overview");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /Needs you/ }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("t");
    await page.getByRole("heading", { name: "Tasks" }).waitFor();
    await context.close();
  });
});

describe("every page", () => {
  const look = [
    { width: 1280, dark: true },
    { width: 768, dark: true },
    { width: 320, dark: false },
  ];
  it.each(look)("is accessible and fits at $width px, dark: $dark", async ({ width, dark }) => {
    const failed = await server.start("fails-once", {}, HOSTILE);
    const seen = await open("/ui/", { width, dark });
    await seen.page.getByRole("heading", { name: /Needs you/ }).waitFor();
    await expectSound(seen);
    await seen.page.goto("/ui/tasks");
    const name = seen.page.locator("tr[data-key] a[data-main]").first();
    await name.waitFor();
    expect((await name.boundingBox())?.width).toBeGreaterThan(80);
    await expectSound(seen);
    await seen.page.goto(`/ui/tasks/${failed}`);
    await seen.page.getByText("<b>esx07</b> is silent").first().waitFor();
    await expectSound(seen);
    await seen.page.keyboard.press("r");
    await seen.page.getByRole("dialog").waitFor();
    await expectSound(seen);
    await seen.context.close();
  });
});
