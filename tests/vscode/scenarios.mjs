// What a user does with Assist, one entry each. The prompts' answers are in tests/tests/vscode.rs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const COUNTER = ["Counter.tsx", "setCount(count + 1)"];

async function ask(vscode, prompt) {
  await vscode.command("Ask Assist");
  await vscode.answer("Ask Assist", prompt);
}

/** Waits until the model holds the answer that this scenario asked for. */
async function held(world) {
  world.model.held += 1;
  const answer = await fetch(new URL(`/_sim/requests?stalled=${world.model.held}`, world.openai));
  assert.ok(answer.ok, await answer.text());
}

/** Lets the model go on. */
async function release(world) {
  assert.ok((await fetch(new URL("/_sim/release", world.openai))).ok);
}

/** Gives the workspace settings of its own. */
function settings(folder, values) {
  fs.mkdirSync(path.join(folder, ".vscode"));
  fs.writeFileSync(path.join(folder, ".vscode", "settings.json"), JSON.stringify(values));
}

/** Makes the workspace a repository with one commit, whose work can be pushed and deployed. */
function repository(folder) {
  fs.writeFileSync(
    path.join(folder, "assist.toml"),
    '[forge]\nrepository = "ada/visitors"\n[deploy]\napplication = "visitors1"\n',
  );
  const git = (...words) => execFileSync("git", words, { cwd: folder });
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Ada");
  git("config", "user.email", "ada@example.com");
  git("config", "commit.gpgsign", "false");
  git("add", ".");
  git("commit", "-q", "-m", "First");
}

/** Asks for something that is planned, and returns its card. */
async function delivery(vscode) {
  await vscode.openFile(...COUNTER);
  await vscode.command("Assist: Talk about the Workspace");
  await vscode.answer("Ask Assist", "Let visitors find their way");
  const card = vscode.webview();
  await card.locator("ol > li", { hasText: "Add a navigation" }).waitFor();
  return card;
}

export const scenarios = {
  // The edit arrives and one undo takes it back.
  palette: {
    async run(vscode, world) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await vscode.quick("F1", "Ask Assist");
      await vscode.row("Ask Assist").waitFor();
      await vscode.shot("1-palette");
      await vscode.press("Enter");
      const box = await vscode.inputBox("Ask Assist");
      await vscode.quickInput.getByText("Counter.tsx, lines 5–16").waitFor();
      await box.fill("Add a reset button when I have seen it");
      await vscode.shot("2-input");
      await vscode.press("Enter");
      await held(world);
      await vscode.notification("Assist").waitFor();
      await vscode.shot("3-progress");
      await release(world);
      await vscode.shows("reset");
      await vscode.shot("4-applied");
      await vscode.ready();
      // It was saved before, and is again.
      await vscode.page.locator(".tabs-container .tab.active:not(.dirty)").waitFor();
      const counter = path.join(world.folder, "src", "Counter.tsx");
      assert.match(fs.readFileSync(counter, "utf8"), /reset/i);
      await vscode.undo();
      await vscode.lacks("reset");
      await vscode.shows("setCount(count + 1)");
    },
  },

  // The action asks for words, earlier ones come back on the arrow keys.
  lightbulb: {
    async run(vscode) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button");
      await vscode.shows("reset");
      await vscode.ready();
      await vscode.undo();
      await vscode.lacks("reset");
      await vscode.select(5, 12);
      await vscode.codeAction("Ask Assist", "5-lightbulb");
      const box = await vscode.inputBox("Ask Assist");
      await vscode.press("ArrowUp");
      await vscode.page.waitForFunction((input) => input.value === "Add a reset button", await box.elementHandle());
      await vscode.press("Enter");
      await vscode.shows("reset");
      await vscode.ready();
    },
  },

  // The context menu leads to the same question.
  menu: {
    async run(vscode) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await vscode.press("Shift+F10");
      const item = (words) => vscode.page.locator(".context-view .monaco-menu .action-item", { hasText: words }).first();
      await item("Ask Assist").waitFor();
      await vscode.shot("6-menu");
      await vscode.page.keyboard.type("Ask");
      const focused = vscode.page.locator(".context-view .monaco-menu .action-item.focused");
      for (let step = 0; step < 40; step += 1) {
        if ((await focused.count()) > 0 && (await focused.last().innerText()).includes("Ask Assist")) break;
        await vscode.press("ArrowDown");
      }
      await vscode.press("Enter");
      await vscode.answer("Ask Assist", "Add a reset button");
      await vscode.shows("reset");
      await vscode.ready();
    },
  },

  // Typing elsewhere while a run is under way loses nothing.
  typing: {
    async run(vscode, world) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button slowly");
      await held(world);
      await vscode.notification("Assist").waitFor();
      await vscode.focusEditor();
      // Within a comment, so that the file is never broken while the key strokes come.
      await vscode.goto(18, 4);
      await vscode.page.keyboard.type("mine while it works ");
      await vscode.shows("mine while it works");
      await release(world);
      await vscode.shows("reset");
      await vscode.ready();
      await vscode.shows("mine while it works");
      await vscode.shows("formatCount");
      await vscode.undo();
      await vscode.lacks("reset");
      await vscode.shows("mine while it works");
    },
  },

  // Cancel in the notification leaves the file as it was.
  cancel: {
    async run(vscode, world) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button and never finish");
      await held(world);
      const progress = vscode.notification("Assist");
      await progress.waitFor();
      await vscode.status.locator(".codicon-loading").waitFor();
      await progress.hover();
      await progress.getByRole("button", { name: "Cancel" }).click();
      await vscode.ready();
      await vscode.shows("setCount(count + 1)");
      await vscode.lacks("reset");
    },
  },

  // The answer streams into a panel.
  explain: {
    async run(vscode) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await vscode.command("Assist: Explain");
      const answer = vscode.webview();
      await answer.locator("#answer", { hasText: "keeps one number" }).waitFor();
      await answer.locator("#answer", { hasText: "The end of the explanation" }).waitFor();
      await answer.locator("pre .hljs-keyword").first().waitFor();
      assert.equal(await answer.locator("img").count(), 0);
      await vscode.ready();
      await vscode.shot("7-answer");
      await vscode.focusEditor();
      await vscode.shows("setCount(count + 1)");
    },
  },

  // The menu, and the sessions with their log.
  sessions: {
    async run(vscode) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button");
      await vscode.shows("reset");
      await vscode.ready();
      await vscode.status.click();
      await vscode.row("Undo the Last Run").waitFor();
      await vscode.shot("8-status");
      await vscode.chooseRow("Sessions");
      await vscode.row("Add a reset button").waitFor();
      await vscode.shot("9-sessions");
      await vscode.chooseRow("Add a reset button");
      await vscode.shows("component_applied");
      await vscode.shot("10-log");
    },
  },

  // An answer that is cut off is continued and arrives as one edit; undo by command takes the whole run back.
  cut: {
    async run(vscode) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button in two parts");
      await vscode.shows("Reset");
      await vscode.ready();
      await vscode.command("Assist: Undo Last Run");
      await vscode.lacks("Reset");
      await vscode.shows("setCount(count + 1)");
    },
  },

  // A diagnostic has an action of its own.
  fix: {
    prepare: (folder) => settings(folder, { "typescript.validate.enable": true }),
    async run(vscode) {
      await vscode.openFile("total.ts", "reduce");
      await vscode.page.locator(".squiggly-error").first().waitFor();
      await vscode.goto(2, 10);
      await vscode.codeAction("Fix with Assist");
      await vscode.lacks("sum: string");
      await vscode.shows("const sum = prices.reduce");
      await vscode.ready();
    },
  },

  // A wish becomes a plan; it is changed in words, then confirmed, and every step of it is done.
  plan: {
    async run(vscode, { folder }) {
      await vscode.openFile(...COUNTER);
      await vscode.command("Assist: Talk about the Workspace");
      await vscode.answer("Ask Assist", "Let visitors find their way");
      await vscode.statusSays("Assist asks");
      const card = vscode.webview();
      const step = (words) => card.locator("ol > li", { hasText: words });
      await step("Add a navigation").waitFor();
      await step("Say it in the footer").waitFor();
      await card.locator("main", { hasText: "Time:" }).waitFor();
      await card.locator("main", { hasText: "Cost:" }).waitFor();
      await vscode.shot("15-plan");
      const has = (name) => fs.existsSync(path.join(folder, "src", name));
      assert.ok(!has("Nav.tsx"), "nothing is made before the yes");
      await step("Show it").locator("input").uncheck();
      await card.getByRole("button", { name: "Start with 2 of 3 steps" }).waitFor();
      await vscode.shot("16-some-steps");
      await card.getByRole("button", { name: "Change…" }).click();
      await card.getByLabel("What should be different?").fill("Leave the footer alone");
      await vscode.shot("17-change");
      await card.getByRole("button", { name: "Send" }).click();
      await step("Say it in the footer").waitFor({ state: "detached" });
      await step("Show it").waitFor();
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await card.locator("#answer", { hasText: "The navigation is there." }).waitFor();
      await vscode.shot("18-report");
      // The buttons are on the card and nowhere else: none is left behind.
      assert.equal(await vscode.notification("Shall I start?").count(), 0);
      await vscode.ready();
      assert.match(fs.readFileSync(path.join(folder, "src", "Nav.tsx"), "utf8"), /function Nav/);
      assert.match(fs.readFileSync(path.join(folder, "src", "top.tsx"), "utf8"), /function Top/);
    },
  },

  // Of a plan only some steps are wanted, and of another nothing.
  some_steps: {
    async run(vscode, { folder }) {
      await vscode.openFile(...COUNTER);
      const has = (name) => fs.existsSync(path.join(folder, "src", name));
      const card = vscode.webview();
      await vscode.command("Assist: Talk about the Workspace");
      await vscode.answer("Ask Assist", "Let visitors find their way, please");
      await card.getByRole("button", { name: "Not now" }).click();
      await vscode.ready();
      assert.ok(!has("Nav.tsx"));
      await vscode.command("Assist: Talk about the Workspace");
      await vscode.answer("Ask Assist", "Let visitors find their way, but little");
      await card.locator("ol > li", { hasText: "Show it" }).locator("input").uncheck();
      await card.locator("ol > li", { hasText: "footer" }).locator("input").uncheck();
      await card.getByRole("button", { name: "Start with 1 of 3 steps" }).click();
      await card.locator("#answer", { hasText: "The navigation is there." }).waitFor();
      await vscode.ready();
      assert.ok(has("Nav.tsx") && !has("top.tsx"));
    },
  },

  // A plan's boxes: none is ticked, each brings what it builds on, and what is ticked is committed, pushed and deployed.
  delivered: {
    prepare: (folder) => repository(folder),
    async run(vscode, { folder, openai }) {
      const card = await delivery(vscode);
      const box = (words) => card.getByRole("checkbox", { name: words });
      const [commit, push, deploy] = [box("Commit what is changed"), box("Push main to ada/visitors"), box("Deploy visitors at")];
      for (const off of [commit, push, deploy]) assert.equal(await off.isChecked(), false, "a box is off by itself");
      // What the boxes say is not in the plan once more.
      assert.equal(await card.locator("main", { hasText: "--push" }).count(), 0);
      await deploy.check();
      assert.ok((await commit.isChecked()) && (await push.isChecked()), "a deployment brings the push and the commit");
      await commit.uncheck();
      assert.ok(!(await push.isChecked()) && !(await deploy.isChecked()), "without a commit there is nothing to push");
      await deploy.check();
      await vscode.shot("20-delivery");
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await card.locator("#answer", { hasText: "The navigation is there." }).waitFor();
      await vscode.ready();
      const git = (...words) => execFileSync("git", words, { cwd: folder, encoding: "utf8" }).trim();
      const forge = new URL("/ada/visitors.git", openai);
      const login = Buffer.from("ada:gt-vscode").toString("base64");
      const there = git("-c", `http.extraHeader=Authorization: Basic ${login}`, "ls-remote", forge.href, "refs/heads/main");
      assert.equal(there.split("\t")[0], git("rev-parse", "HEAD"));
      assert.equal(git("log", "-1", "--format=%s"), "Visitors find their way");
    },
  },

  // The same card in the light, in a narrow window.
  delivered_light: {
    pictureOnly: true,
    size: { width: 620, height: 800 },
    prepare(folder) {
      repository(folder);
      settings(folder, { "workbench.colorTheme": "Default Light Modern" });
    },
    async run(vscode) {
      const card = await delivery(vscode);
      await card.getByRole("checkbox", { name: "Push main to ada/visitors" }).check();
      await vscode.shot("21-delivery-light-narrow");
      await card.getByRole("button", { name: "Not now" }).click();
      await vscode.ready();
    },
  },

  // A database that came with the folder is not used; a button takes it over, and the command says that it is done already.
  adopted: {
    prepare(folder, cli) {
      // Somebody else worked in this folder, and what they have kept came with it.
      const env = { ...cli.env, HOME: path.join(folder, "..", "..", "adopted-home") };
      execFileSync(cli.program, ["memory", "add", "Colour", "Green"], { cwd: folder, env });
    },
    async run(vscode, { folder, cli }) {
      await vscode.openFile(...COUNTER);
      const told = vscode.notification("was not made by you");
      await told.waitFor();
      await vscode.shot("22-adopt");
      await told.getByRole("button", { name: "Adopt" }).click();
      await vscode.notification("is yours from now on").waitFor();
      const listed = execFileSync(cli.program, ["memory", "list"], { cwd: folder, env: cli.env, encoding: "utf8" });
      assert.match(listed, /Green/);
      await vscode.command("Assist: Take Over This Folder's Database");
      await vscode.notification("was yours already").waitFor();
    },
  },

  // A run is paused, told something, offered when the window comes back, and goes on; then there is nothing left to steer.
  reopened: {
    async run(vscode, world) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button after a rest");
      await held(world);
      await vscode.status.locator(".codicon-loading").waitFor();
      await vscode.command("Assist: Pause Run");
      await vscode.ready();
      await vscode.command("Assist: Tell the Run…");
      await vscode.answer("Tell the Run", "Keep the heading");
      await vscode.reload();
      const offer = vscode.notification("is paused: you asked it to rest.");
      await offer.waitFor();
      await vscode.shot("19-offer");
      await vscode.lacks("Reset");
      await offer.getByRole("button", { name: "Resume" }).click();
      await vscode.shows("Reset");
      await vscode.ready();
    },
  },

  // A run that a terminal began in the background is listed, followed, and its plan is confirmed here.
  background: {
    async run(vscode, { folder, cli }) {
      await vscode.openFile(...COUNTER);
      execFileSync(cli.program, ["ask", "--detach", "Let visitors find their way, in the background"], { cwd: folder, env: cli.env, stdio: "ignore" });
      await vscode.status.locator(".codicon-server-process").waitFor();
      await vscode.status.filter({ hasText: "Assist 1" }).waitFor();
      // The badge lies over the icon.
      const icon = vscode.page.locator(".action-label[aria-label^='Assist']");
      await vscode.page.locator(".activitybar .action-item", { has: icon }).first().click();
      const row = vscode.page.locator(".pane-body .monaco-list-row", { hasText: "in the background" });
      await row.waitFor();
      await vscode.shot("20-runs");
      await row.click();
      await vscode.statusSays("Assist asks");
      const card = vscode.webview();
      await card.locator("ol > li", { hasText: "Show it" }).waitFor();
      await vscode.shot("21-followed");
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await card.locator("#answer", { hasText: "The navigation is there." }).waitFor();
      await vscode.ready();
      await vscode.shot("22-ended");
      await vscode.shows(/\scompleted\s+done/);
      assert.match(fs.readFileSync(path.join(folder, "src", "top.tsx"), "utf8"), /function Top/);
    },
  },

  // With `apply: preview` the change is shown first; the status bar holds the question, however long it waits.
  preview: {
    prepare: (folder) => settings(folder, { "assist.apply": "preview" }),
    async run(vscode) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button");
      await vscode.statusSays("Assist asks");
      await vscode.page.locator(".tab", { hasText: "Assist asks.md" }).waitFor();
      await vscode.shows("const reset");
      await vscode.shot("13-question");
      await vscode.status.click();
      await vscode.row("Apply").waitFor();
      await vscode.shot("14-answers");
      await vscode.chooseRow("Apply");
      await vscode.page.locator(".tab", { hasText: "Assist asks.md" }).waitFor({ state: "detached" });
      await vscode.ready();
      await vscode.shows("const reset");
    },
  },

  // The user is asked for one, and the question is asked again.
  no_key: {
    prepare: (folder) => settings(folder, { "assist.provider": "openai" }),
    async run(vscode, world) {
      await vscode.quick("Control+KeyP", "Counter.tsx");
      await vscode.row("Counter.tsx").waitFor();
      await vscode.press("Enter");
      await vscode.statusSays("no key");
      await vscode.select(5, 12);
      await ask(vscode, "Add a reset button");
      const refusal = vscode.notification("key");
      await refusal.waitFor();
      await vscode.shot("11-no-key");
      // From here on there is a server for the key to be used with; an address alone would have made the question unnecessary.
      fs.writeFileSync(path.join(world.config, "config.toml"), `[providers.openai]\nbase_url = "${world.openai}"\n`);
      await refusal.getByRole("button", { name: "Enter API Key" }).click();
      await vscode.row("OpenAI").waitFor();
      await vscode.shot("12-provider");
      await vscode.chooseRow("OpenAI");
      await vscode.answer("Set API Key", "sk-only-for-this-test");
      await vscode.shows("reset");
      await vscode.ready();
    },
  },

  // The picture of the README: one component is in place, the next one is being written.
  picture: {
    pictureOnly: true,
    size: { width: 1120, height: 640 },
    async run(vscode) {
      await vscode.openFile(...COUNTER);
      await vscode.select(5, 17);
      await ask(vscode, "Let people start over, and group the digits");
      await vscode.shows("Reset");
      await vscode.press("ArrowLeft");
      await vscode.notification("Applied Counter").waitFor();
      // What VS Code itself is busy with at its start is not part of the picture; the run waits meanwhile.
      for (const busy of ["Activating Extensions", "Analyzing", "Initializing"]) {
        await vscode.page.locator(".statusbar-item", { hasText: busy }).first().waitFor({ state: "hidden" });
      }
      await vscode.shot("ask");
      await vscode.command("Assist: Stop Run");
      await vscode.ready();
    },
  },
};
