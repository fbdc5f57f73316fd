// Bundles the extension into out/extension.js; with --tests the unit tests into out/test/; with --production small, and beside it
// the licences of what is in the bundle.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  metafile: production,
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
  const [extension] = await Promise.all(jobs.map((job) => esbuild.build(job)));
  if (production) writeFileSync("out/THIRD-PARTY-NOTICES.txt", notices(extension.metafile));
}

/** The licences of all packages that ended up in the bundle. */
function notices(metafile) {
  const folders = Object.keys(metafile.inputs).map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(folders.filter(Boolean))].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$|-)/i.test(entry));
    if (file === undefined || !existsSync(`${folder}/${file}`)) throw new Error(`${name} is bundled but brings no licence`);
    return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
  }).join(`\n${"-".repeat(80)}\n\n`);
}
