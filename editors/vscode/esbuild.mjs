// Bundles the extension into out/extension.js; with --tests the unit tests into out/test/.
import { readdirSync, rmSync } from "node:fs";
import * as esbuild from "esbuild";

const flags = new Set(process.argv.slice(2));
const production = flags.has("--production");

const shared = {
  bundle: true,
  platform: "node",
  target: "node18",
  format: "cjs",
  logLevel: "warning",
  sourcemap: production ? false : "linked",
  minify: production,
  // The client library's dependencies publish both kinds of module; the ones meant for Node bundle cleanly.
  mainFields: ["module", "main"],
};

const jobs = [{ ...shared, entryPoints: ["src/extension.ts"], outfile: "out/extension.js", external: ["vscode"] }];
if (flags.has("--tests")) {
  rmSync("out/test", { recursive: true, force: true });
  const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  jobs.push({ ...shared, entryPoints, outdir: "out/test" });
}

if (flags.has("--watch")) {
  for (const job of jobs) await (await esbuild.context(job)).watch();
} else {
  await Promise.all(jobs.map((job) => esbuild.build(job)));
}
