// Drives VS Code (code-server in Chromium) through what a user does with Assist.
//
//   node drive.mjs --url URL --editor FOLDER --chromium PROGRAM --workspaces FOLDER
//     --config FOLDER --openai URL --cli JSON [--shots FOLDER] [NAME…]
//
// prints one JSON line a scenario, {scenario, ok, seconds, error?, workspace}, and ends with 0 if all went well.
// `--editor` is the folder that holds node_modules with playwright-core, `--config` the server's configuration folder, `--openai` where
// a model speaks OpenAI's format, `--cli` how a terminal runs Assist: {program, env}. What the model answers is up to the caller;
// tests/tests/vscode.rs holds the other half: every prompt below has a rule there.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { scenarios } from "./scenarios.mjs";
import { Workbench, launch } from "./workbench.mjs";

const { values: given, positionals: only } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(["url", "editor", "chromium", "workspaces", "config", "openai", "cli", "shots"].map((name) => [name, { type: "string" }])),
});
const { chromium } = createRequire(path.join(path.resolve(given.editor), "package.json"))("playwright-core");
const fixture = path.join(path.dirname(fileURLToPath(import.meta.url)), "fixture");
if (given.shots) fs.mkdirSync(given.shots, { recursive: true });

const browser = await launch(chromium, given.chromium);
let failed = 0;
// How many answers the model has held so far.
const model = { held: 0 };
for (const [name, scenario] of Object.entries(scenarios)) {
  if (only.length > 0 ? !only.includes(name) : scenario.pictureOnly && !given.shots) continue;
  // A fresh folder for each: VS Code keeps what was open and unsaved per folder.
  const folder = path.join(given.workspaces, name, "visitors");
  fs.cpSync(fixture, folder, { recursive: true });
  await scenario.prepare?.(folder, JSON.parse(given.cli));
  const result = { scenario: name, ok: true, workspace: folder };
  const begun = Date.now();
  let workbench;
  try {
    workbench = await Workbench.open(browser, given.url, folder, given.shots, scenario.size);
    await scenario.run(workbench, { folder, config: given.config, openai: given.openai, model, cli: JSON.parse(given.cli) });
  } catch (error) {
    failed += 1;
    result.ok = false;
    result.error = String(error?.message ?? error);
    const picture = path.join(given.workspaces, `${name}.png`);
    await workbench?.page.screenshot({ path: picture }).catch(() => undefined);
    result.picture = picture;
  }
  result.seconds = (Date.now() - begun) / 1000;
  console.log(JSON.stringify(result));
  await workbench?.page.close();
}
await browser.close();
process.exitCode = failed === 0 ? 0 : 1;
