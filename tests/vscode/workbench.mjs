// The VS Code workbench as a person uses it: keys, menus, and waiting for what shall be seen. Nothing here sleeps.

import path from "node:path";

export const PATIENCE = 180_000;

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  // No test talks to the internet.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

export async function launch(chromium, executablePath) {
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

export class Workbench {
  constructor(page, shots) {
    this.page = page;
    this.shots = shots;
  }

  static async open(browser, url, folder, shots, size = { width: 1280, height: 800 }) {
    const page = await browser.newPage({ viewport: size });
    page.setDefaultTimeout(PATIENCE);
    const workbench = new Workbench(page, shots);
    await page.goto(`${url}/?folder=${encodeURIComponent(folder)}`, { waitUntil: "domcontentloaded" });
    await page.locator(".monaco-workbench .explorer-folders-view .monaco-list-row").first().waitFor();
    return workbench;
  }

  async shot(name) {
    if (!this.shots) return;
    await this.page.mouse.move(250, 17);
    await this.page.screenshot({ path: path.join(this.shots, `${name}.png`), animations: "disabled" });
  }

  /** The window as it comes back: its extensions begin anew. */
  async reload() {
    await this.page.reload({ waitUntil: "domcontentloaded" });
    await this.page.locator(".monaco-workbench .explorer-folders-view .monaco-list-row").first().waitFor();
  }

  press(keys) {
    return this.page.keyboard.press(keys);
  }

  // ---- quick input -------------------------------------------------------------------------------------------

  get quickInput() {
    return this.page.locator('.quick-input-widget:not([style*="display: none"])');
  }

  async quickClosed() {
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  /** Opens a quick input by its key and types into it. */
  async quick(keys, words) {
    await this.press(keys);
    const input = this.quickInput.locator("input.input");
    await input.waitFor();
    await input.pressSequentially(words);
  }

  row(words) {
    return this.quickInput.locator(".quick-input-list .monaco-list-row", { hasText: words }).first();
  }

  /** Runs a command by its title in the palette. */
  async command(title) {
    await this.quick("F1", title);
    await this.row(title).waitFor();
    await this.chooseRow(title);
  }

  /** Moves to a row of the open quick pick and takes it. */
  async chooseRow(words) {
    return this.down('.quick-input-widget:not([style*="display: none"]) .quick-input-list', words);
  }

  /** Moves down in a list to the row that says `words`, and takes it. */
  async down(list, words) {
    const focused = this.page.locator(`${list} .monaco-list-row.focused`);
    for (let step = 0; step < 60; step += 1) {
      await focused.waitFor();
      if ((await focused.innerText()).includes(words)) return this.press("Enter");
      const before = await focused.getAttribute("data-index");
      await this.press("ArrowDown");
      // Whoever looked again before it has moved would go one row too far.
      await this.page.locator(`${list} .monaco-list-row.focused:not([data-index="${before}"])`).waitFor();
    }
    throw new Error(`no row of the list says "${words}"`);
  }

  /** Waits for an input box whose title holds `title`, types and accepts. */
  async answer(title, words) {
    const box = await this.inputBox(title);
    await box.fill(words);
    await this.press("Enter");
  }

  async inputBox(title) {
    await this.quickInput.locator(".quick-input-title", { hasText: title }).waitFor();
    return this.quickInput.locator("input.input");
  }

  // ---- editor ------------------------------------------------------------------------------------------------

  async openFile(name, contains) {
    await this.quick("Control+KeyP", name);
    await this.row(name).waitFor();
    await this.press("Enter");
    await this.line(contains).waitFor();
    await this.ready();
  }

  /** A line that is shown in an editor. */
  line(contains) {
    return this.page.locator(".editor-instance .view-line", { hasText: contains });
  }

  async shows(contains) {
    await this.line(contains).first().waitFor();
  }

  async lacks(contains) {
    await this.line(contains).first().waitFor({ state: "detached" });
  }

  /** Selects `count` whole lines from line `first`: the cursor ends in column 1 of the line below them. */
  async select(first, count) {
    await this.goto(first);
    for (let step = 0; step < count; step += 1) await this.press("Shift+ArrowDown");
    await this.selection(new RegExp(`Ln ${first + count}, Col 1 \\(`));
  }

  async goto(line, column = 1) {
    await this.quick("Control+KeyG", `${line}:${column}`);
    await this.press("Enter");
    await this.quickClosed();
    await this.selection(new RegExp(`Ln ${line}, Col ${column}$`));
  }

  async selection(says) {
    await this.page.locator("#status\\.editor\\.selection").filter({ hasText: says }).waitFor();
  }

  async undo() {
    await this.focusEditor();
    await this.press("Control+KeyZ");
  }

  async focusEditor() {
    await this.press("Control+Digit1");
    await this.page.locator(".editor-instance .monaco-editor.focused").first().waitFor();
  }

  // ---- code actions ------------------------------------------------------------------------------------------

  /**
   * Opens the menu of code actions and takes one. Right after a selection the menu may still say that there is
   * none: it is closed and asked for again until the action is there.
   */
  async codeAction(title, shot) {
    const action = this.page.locator(".action-widget .monaco-list-row", { hasText: title }).first();
    // The message over the editor, not the copy of its words for screen readers: that one stays after it is closed.
    const nothing = this.page.locator(".monaco-editor-overlaymessage .message").filter({ hasText: /No .*available/i });
    for (let attempt = 0; ; attempt += 1) {
      await this.press("Control+Period");
      await action.or(nothing.first()).first().waitFor();
      if (await action.isVisible()) break;
      if (attempt === 20) throw new Error(`there is no code action "${title}"`);
      await this.press("Escape");
      await nothing.first().waitFor({ state: "hidden" });
    }
    if (shot) await this.shot(shot);
    return this.down(".action-widget", title);
  }

  // ---- around the editor -------------------------------------------------------------------------------------

  get status() {
    return this.page.locator("#assist\\.assist\\.assist\\.status, [id$='assist.status']").first();
  }

  /** Waits until the status bar says that Assist stands ready and idle. */
  async ready() {
    await this.status.filter({ hasText: /^\s*Assist\s*$/ }).waitFor();
    await this.status.locator(".codicon-sparkle").waitFor();
  }

  async statusSays(words) {
    await this.status.filter({ hasText: words }).waitFor();
  }

  notification(words) {
    return this.page.locator(".notifications-toasts .notification-list-item", { hasText: words }).first();
  }

  /** The document inside the webview that is in front. */
  webview() {
    return this.page.frameLocator("iframe.webview").last().frameLocator("iframe#active-frame");
  }
}
