import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectSound, signIn, startBrowser, type Visit, visit } from "./browser";
import { PASSWORD, startServer, type TestServer } from "./server";

const HOSTILE = '<img src=x onerror="alert(1)"> \u202Eevil';
let server: TestServer;
let browser: Browser;
const open = async (path: string, options: Parameters<typeof visit>[3] = {}): Promise<Visit> =>
  visit(browser, server, path, options);

/** A workflow whose input has every kind of field. */
const ROUTINE = {
  name: "routine",
  type: "ROUTINE",
  title: "Routine of {{ input.host.fqdn }}",
  description: HOSTILE,
  input: {
    type: "object",
    required: ["host", "mode"],
    additionalProperties: false,
    properties: {
      host: {
        type: "object",
        required: ["fqdn"],
        properties: {
          fqdn: { type: "string", pattern: "^[a-z0-9.]+$" },
          password: { type: "string", writeOnly: true },
        },
      },
      mode: { enum: ["fast", "safe"] },
      count: { type: "integer", maximum: 9 },
      tags: { type: "array", items: { type: "string", minLength: 1 } },
      extra: { oneOf: [{ type: "string" }, { type: "array" }] },
    },
  },
  subTasks: [
    { name: "Prepare", description: "Prepares it", action: { simulate: { duration: "1ms" } } },
    { name: "Left", description: "One side", needs: ["Prepare"], action: { simulate: { duration: "1ms" } } },
    {
      name: "Right",
      description: "The other",
      needs: ["Prepare"],
      action: { simulate: { duration: "1ms" } },
    },
    {
      name: "Finish",
      description: "Both are done",
      needs: ["Left", "Right"],
      when: "input.mode == 'safe'",
      action: { simulate: { duration: "1ms" } },
    },
  ],
};

const queued = (name: string) => ({
  ...{ name, type: "QUEUED", title: "Queued" },
  subTasks: [{ name: "Work", description: "Works", action: { worker: { queue: "esxi" } } }],
});
const held = (name: string, action: object) => ({
  ...{ name, type: "HELD", title: "Held" },
  resources: [{ type: "HOST", resourceId: "esx07", lock: "exclusive" }],
  subTasks: [{ name: "Hold", description: "Holds it", repeatable: false, timeout: "1s", action }],
});

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  await server.call("PUT", "/v1/workflows/routine", { ...ROUTINE, title: "An older title" });
  await server.call("PUT", "/v1/workflows/routine", ROUTINE);
  await server.call("POST", "/v1/users", { name: "looker", password: PASSWORD, role: "VIEWER" });
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

describe("workflows", () => {
  it("are listed, and one shows its sub-tasks, its definition and its older versions", async () => {
    const visited = await open("/ui/workflows");
    const { page, context } = visited;
    await page.getByRole("link", { name: "routine" }).click();
    await page.getByRole("heading", { name: "routine" }).waitFor();
    const drawing = page.getByRole("img", { name: /4 sub-tasks/ });
    expect(await drawing.locator("path[marker-end]").count()).toBe(4);
    await page.getByRole("cell", { name: "Left, Right" }).waitFor();
    await page.getByText('<img src=x onerror="alert(1)"> �evil').waitFor();
    await page.getByRole("link", { name: "Definition" }).click();
    await page
      .getByRole("region", { name: "Definition as JSON" })
      .getByText("{{ input.host.fqdn }}")
      .waitFor();
    await page.getByLabel("Version").selectOption("1");
    await page.getByText("v1, the newest is v2").waitFor();
    expect(page.url()).toContain("version=1");
    await expectSound(visited);
    await context.close();
  });

  it("start tasks by a form from their schema, whose faults stand at their fields", async () => {
    const visited = await open("/ui/workflows/routine/start");
    const { page, context } = visited;
    await page.getByLabel("fqdn").fill("NOT A HOST");
    await page.getByLabel("password (optional)").fill("the-secret-1");
    await page.getByLabel("count (optional)").fill("12");
    await page.getByRole("button", { name: "Add to tags" }).click();
    await page.getByRole("button", { name: "Add to tags" }).click();
    await page.getByRole("textbox", { name: "tags 1" }).fill("a");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page
      .getByRole("alert")
      .getByText(/does not match the schema/)
      .waitFor();
    const faulty = page.locator("[aria-invalid=true]");
    const at = await faulty.evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.pointer));
    expect(at.sort()).toEqual(["/count", "/host/fqdn", "/mode", "/tags/1"]);
    await expectSound(visited);
    await page.getByLabel("fqdn").fill("esx07.lab");
    await page.getByLabel("count (optional)").fill("3");
    await page.getByLabel("mode").selectOption({ label: "safe" });
    await page.getByRole("button", { name: "Remove tags 2" }).click();
    await page.getByLabel("extra (optional)").fill('["x"]');
    await page.getByRole("button", { name: "Check only" }).click();
    await page.getByText(/accepts it, as Routine of esx07.lab/).waitFor();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByRole("heading", { name: "Routine of esx07.lab" }).waitFor();
    const id = page.url().split("/").at(-1);
    const task = (await server.call("GET", `/v1/tasks/${id}?include=input`)) as { input: unknown };
    const host = { fqdn: "esx07.lab", password: "<redacted>" };
    expect(task.input).toEqual({ host, mode: "safe", count: 3, tags: ["a"], extra: ["x"] });
    expect(visited.faults).toEqual([]);
    await context.close();
  });

  it("take the same input as JSON, and keep the form away from what it would lose", async () => {
    const { page, context, faults } = await open("/ui/workflows/routine/start");
    await page.getByLabel("fqdn").fill("esx08.lab");
    await page.getByRole("button", { name: "Write JSON" }).click();
    const json = page.getByLabel("Input as JSON");
    expect(JSON.parse(await json.inputValue())).toEqual({ host: { fqdn: "esx08.lab" } });
    await json.fill('{"host": {"fqdn": "esx08.lab"}, "unknown": 1}');
    expect(await page.getByRole("button", { name: "Use the form" }).getAttribute("aria-disabled")).toBe(
      "true",
    );
    await json.fill('{"host": {"fqdn": "esx09.lab"}, "mode": "fast"}');
    await page.getByRole("button", { name: "Use the form" }).click();
    expect(await page.getByLabel("fqdn").inputValue()).toBe("esx09.lab");
    await page.keyboard.press("Tab");
    await page.getByRole("button", { name: "Start", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Routine of esx09.lab" }).waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  it("start a task again with changes, which are shown before, and never with a mask as a secret", async () => {
    const host = { fqdn: "esx10.lab", password: "the-secret-2" };
    const input = { host, mode: "fast", tags: ["a", "b"] };
    const first = await server.start("routine", input, "The original");
    const visited = await open(`/ui/tasks/${first}`);
    const { page, context } = visited;
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("menuitem", { name: "Start again with changes…" }).click();
    await page.getByText(/Secrets are not copied.*host › password/).waitFor();
    expect(await page.getByLabel("fqdn").inputValue()).toBe("esx10.lab");
    expect(await page.getByLabel("password (optional)").inputValue()).toBe("");
    const changes = page.getByRole("table", { name: "Changes from the original input" });
    expect(await changes.getByRole("row").allInnerTexts()).toEqual([
      "Field\tOriginal\tNew",
      "host › password\tSecret\tNot given",
    ]);
    await page.getByLabel("password (optional)").fill("the-secret-3");
    await page.getByLabel("mode").selectOption({ label: "safe" });
    await page.getByRole("button", { name: "Remove tags 2" }).click();
    expect((await changes.getByRole("row").allInnerTexts()).slice(1)).toEqual([
      "host › password\tSecret\tSecret",
      'mode\t"fast"\t"safe"',
      'tags › 1\t"b"\tNot given',
    ]);
    await page.setViewportSize({ width: 320, height: 700 });
    await expectSound(visited);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByRole("heading", { name: "Routine of esx10.lab" }).waitFor();
    const id = page.url().split("/").at(-1);
    expect(id).not.toBe(first);
    expect(await server.call("GET", `/v1/tasks/${id}?include=input,labels`)).toMatchObject({
      input: { host: { fqdn: "esx10.lab", password: "<redacted>" }, mode: "safe", tags: ["a"] },
      labels: { "started-from": first },
    });
    await page.getByText("started again from").getByRole("link").click();
    await page.getByRole("heading", { name: "The original" }).waitFor();
    expect(visited.faults).toEqual([]);
    await context.close();
  });

  it("are only looked at by those who may not start tasks", async () => {
    const visited = await open("/ui/workflows/routine", { user: "looker" });
    await visited.page.getByRole("heading", { name: "routine" }).waitFor();
    expect(await visited.page.getByRole("button", { name: /Start/ }).count()).toBe(0);
    await visited.page.goto("/ui/workflows/routine/start");
    await visited.page.getByText("Your role does not allow tasks to be started.").waitFor();
    await visited.context.close();
  });
});

describe("workers and queues", () => {
  beforeAll(async () => {
    await server.call("PUT", "/v1/workflows/queued", queued("queued"));
    await server.start("queued");
    await server.start("queued");
    const lease = {
      queues: ["esxi"],
      max: 1,
      worker: "builder-0123456789",
      lease: "10m",
      host: "build07",
      process: 4711,
    };
    await server.call("POST", "/v1/workers/lease", lease);
  });

  it("show who works on what, and queues are paused, limited and resumed", async () => {
    const visited = await open("/ui/workers");
    const { page, context, faults } = visited;
    const worker = page
      .getByRole("table", { name: "Workers" })
      .getByRole("row", { name: /builder-0123456789/ });
    await worker.getByText("build07 (4711)").waitFor();
    await worker.getByRole("link", { name: "Queued" }).waitFor();
    const queue = page.getByRole("table", { name: "Queues" }).getByRole("row", { name: /esxi/ });
    const ask = async (entry: string) => {
      await page.getByRole("button", { name: "Actions for the queue esxi" }).click();
      await page.getByRole("menuitem", { name: entry }).click();
    };
    await ask("Pause…");
    await page.getByText("1 sub-task waits in it now; more may join.").waitFor();
    await page.keyboard.press("Enter");
    await queue.getByText("Paused").waitFor();
    await ask("Set limits…");
    const dialog = page.getByRole("dialog");
    await page.getByLabel("Attempts at once").fill("2");
    await page.getByLabel("Starts in a time").fill("soon");
    await dialog.getByRole("button", { name: "Set the limits" }).click();
    await dialog.getByRole("alert").getByText(/rate/).waitFor();
    await expectSound(visited);
    await page.getByLabel("Starts in a time").fill("100/1m");
    await page.keyboard.press("Enter");
    await queue.getByText("2 at once, 100 in 1m").waitFor();
    await ask("Resume…");
    await dialog.getByRole("button", { name: "Resume" }).click();
    await queue.getByText("Open").waitFor();
    const { elements } = (await server.call("GET", "/v1/queues")) as { elements: unknown[] };
    const limits = { maxRunning: 2, rate: "100/1m" };
    expect(elements).toMatchObject([{ name: "esxi", limits }]);
    expect(JSON.stringify(elements)).not.toContain('"paused":true');
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe("locks", () => {
  it("show holder and waiters, and are taken from a failed task with a reason", async () => {
    await server.call("PUT", "/v1/workflows/held", held("held", { simulate: { duration: "1h" } }));
    const id = await server.start("held", {}, "The holder");
    const waiter = await server.start("held", {}, "The waiter");
    const { page, context, faults } = await open("/ui/locks?type=host");
    const holds = page.getByRole("row", { name: /The holder/ });
    await holds.getByText("Awaits a decision").waitFor();
    await page
      .getByRole("row", { name: /The waiter/ })
      .getByText("Waiting")
      .waitFor();
    await page.getByRole("button", { name: "Take the locks of The holder" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/The waiter can then go on/).waitFor();
    await page.keyboard.type("esx07 was replaced");
    await page.keyboard.press("Enter");
    await holds.waitFor({ state: "detached" });
    const history = JSON.stringify(await server.call("GET", `/v1/tasks/${id}/history`));
    expect(history).toContain("esx07 was replaced");
    await page.getByRole("link", { name: "The waiter" }).click();
    await page.waitForURL(`**/ui/tasks/${waiter}`);
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe("nodes", () => {
  it("are shown, to those who only look, too", async () => {
    const visited = await open("/ui/nodes", { user: "looker", width: 320, dark: true });
    await visited.page.getByRole("table", { name: "Nodes" }).getByText("Active").waitFor();
    await expectSound(visited);
    await visited.context.close();
  });
});

describe("the audit log", () => {
  it("is filtered in the address, and leads to what was changed", async () => {
    const visited = await open("/ui/audit?action=putWorkflow");
    const { page, context } = visited;
    await page
      .getByRole("table", { name: "Audit log" })
      .getByRole("link", { name: "routine" })
      .first()
      .waitFor();
    await page.getByLabel("To what").fill("no-such-thing");
    await page.keyboard.press("Enter");
    await page.getByText("Nothing matches these filters.").waitFor();
    expect(page.url()).toContain("target=no-such-thing");
    await page.getByLabel("Since").fill("yesterday");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText(/since/).waitFor();
    await page.goBack();
    await page.getByText("Nothing matches these filters.").waitFor();
    await page.getByRole("button", { name: "Clear filters" }).click();
    await page
      .getByRole("row", { name: /createToken/ })
      .first()
      .waitFor();
    await expectSound(visited);
    await context.close();
  });

  it("is neither shown nor offered to those who may not see it", async () => {
    const { page, context } = await open("/ui/audit", { user: "looker" });
    await page.getByText("Your role does not allow this page to be seen.").waitFor();
    const pages = page.getByRole("navigation", { name: "Pages" });
    expect(await pages.getByRole("link", { name: "Locks" }).count()).toBe(1);
    expect(await pages.getByRole("link", { name: /Audit|Users/ }).count()).toBe(0);
    await context.close();
  });
});

describe("users", () => {
  it("are made, given keys that are shown once, disabled and deleted", async () => {
    const visited = await open("/ui/users");
    const { page, context, faults } = visited;
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: "Add an account…" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("pipeline");
    await page.getByLabel("Kind").selectOption("SERVICE");
    await page.getByLabel("Role", { exact: true }).selectOption("OPERATOR");
    await dialog.getByRole("button", { name: "Add" }).click();
    const key = await page.getByLabel("API key", { exact: true }).inputValue();
    const me = await fetch(`${server.api}/v1/users/me`, { headers: { authorization: `Bearer ${key}` } });
    expect(await me.json()).toMatchObject({ name: "pipeline", role: "OPERATOR" });
    await expectSound(visited);
    await dialog.getByRole("button", { name: "I have it" }).click();
    expect(await page.content()).not.toContain(key);
    await page.getByRole("link", { name: "pipeline" }).click();
    await page.getByRole("button", { name: "Change role…" }).click();
    await page.getByLabel("Role", { exact: true }).selectOption("VIEWER");
    await page.getByRole("button", { name: "Change the role" }).click();
    await page.getByText("pipeline has the role VIEWER").waitFor();
    await page.getByRole("button", { name: /Delete the API key/ }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.getByText("It has no API key.").waitFor();
    await page.getByRole("button", { name: "Disable…" }).click();
    await page.keyboard.press("Enter");
    await page.getByText("Disabled", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Delete…" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.waitForURL("**/ui/users");
    await page.getByRole("link", { name: "pipeline" }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "admin", exact: true }).click();
    const disable = page.getByRole("button", { name: "Disable…" });
    await disable.focus();
    const reason = page.locator(`[id="${await disable.getAttribute("aria-describedby")}"]`);
    expect(await reason.textContent()).toMatch(/last administrator/);
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe("settings", () => {
  it("set how long tasks are kept, and show a refusal", async () => {
    const visited = await open("/ui/settings", { width: 320 });
    const { page, context } = visited;
    await page.getByRole("button", { name: "Change…" }).click();
    await page.getByLabel("Days").fill("0");
    await page.keyboard.press("Enter");
    await page
      .getByRole("dialog")
      .getByRole("alert")
      .getByText(/retentionDays/)
      .waitFor();
    await page.getByLabel("Days").fill("30");
    await page.getByText(/ended more than 30 days ago are deleted/).waitFor();
    await page.keyboard.press("Enter");
    await page.getByText("30 days", { exact: true }).waitFor();
    expect(await server.call("GET", "/v1/tasks/config/settings")).toEqual({ retentionDays: 30 });
    await expectSound(visited);
    await context.close();
  });

  it("let people change their own password and end their sessions", async () => {
    const next = "Another-pass-123";
    await server.call("POST", "/v1/users", { name: "anna", password: PASSWORD, role: "VIEWER" });
    const { page, context, faults } = await open("/ui/settings", { user: "anna" });
    await page.getByRole("button", { name: "Confirm the clock…" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Change your password…" }).click();
    await page.keyboard.type(PASSWORD);
    await page.getByLabel("New password", { exact: true }).fill(next);
    await page.getByLabel("New password again").fill(next);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await signIn(page, "anna", next);
    await page.getByRole("button", { name: /End the session of anna/ }).click();
    await page.keyboard.press("Enter");
    await page
      .getByText("Nobody is logged in.")
      .or(page.getByRole("button", { name: "Sign in" }))
      .waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });
});
