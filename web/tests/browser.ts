/** A browser for tests, which notes everything that a page must never do. */
import { existsSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import { PASSWORD, type TestServer } from "./server";

const CHROMIUM = [process.env.CHROMIUM ?? "", "/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** Starts a browser without any service of its vendor. */
export function startBrowser(): Promise<Browser> {
  const executablePath = CHROMIUM.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("there is no chromium: scripts/setup.sh installs it");
  return chromium.launch({
    executablePath,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
    ],
  });
}

/** A page, and what went wrong in it. */
export interface Visit {
  page: Page;
  context: BrowserContext;
  /** Faults so far: errors of scripts, reports of the CSP, requests to other hosts. */
  faults: string[];
}

/** Opens `path`, signed in as `user` unless that is null. */
export async function visit(
  browser: Browser,
  server: TestServer,
  path: string,
  {
    user = "admin",
    width = 1280,
    dark = false,
  }: { user?: string | null; width?: number; dark?: boolean } = {},
): Promise<Visit> {
  const context = await browser.newContext({
    baseURL: server.page,
    viewport: { width, height: 760 },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    ...(user === null ? {} : { storageState: await sessionOf(browser, server, user) }),
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(`csp: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.page) && !/^(blob|data):/.test(request.url())) {
      faults.push(`request elsewhere: ${request.url()}`);
    }
  });
  await page.goto(path);
  return { page, context, faults };
}

type State = Awaited<ReturnType<BrowserContext["storageState"]>>;
const sessions = new Map<string, Promise<State>>();

/** The cookie of `user`, who signs in by the form once for all tests: checking a password is made to be slow. */
function sessionOf(browser: Browser, server: TestServer, user: string): Promise<State> {
  const key = `${server.page} ${user}`;
  const known = sessions.get(key);
  if (known) return known;
  const begun = (async () => {
    const context = await browser.newContext({ baseURL: server.page });
    const page = await context.newPage();
    await page.goto("/ui/");
    await signIn(page, user);
    const state = await context.storageState();
    await context.close();
    return state;
  })();
  sessions.set(key, begun);
  return begun;
}

/** Fills in the form that signs in. */
export async function signIn(page: Page, user: string, password = PASSWORD): Promise<void> {
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

/** Expects that the page is accessible as far as a program can tell, and as narrow as its window. */
export async function expectSound({ page, faults }: Visit): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    (each) =>
      `${each.id}: ${each.nodes
        .map((node) => node.html)
        .join(" | ")
        .slice(0, 400)}`,
  );
  expect(found).toEqual([]);
  const wider = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(wider).toBeLessThanOrEqual(0);
  expect(faults).toEqual([]);
}
