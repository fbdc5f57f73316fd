// `npm run package`: one VSIX. With a server binary in bin/ (assist, or assist.exe) it is bundled, and the VSIX is for this system only;
// without, the VSIX is for all systems and finds an installed server.
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { createVSIX } from "@vscode/vsce";

const { name, version } = JSON.parse(readFileSync("package.json", "utf8"));
for (const license of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(`../../${license}`, license);

const bundled = existsSync("bin/assist") || existsSync("bin/assist.exe");
const target = bundled ? `${process.platform}-${process.arch === "arm" ? "armhf" : process.arch}` : undefined;
const packagePath = [name, target, version].filter(Boolean).join("-") + ".vsix";
await createVSIX({ target, packagePath, dependencies: false, allowMissingRepository: true, skipLicense: true, rewriteRelativeLinks: false });
console.log(`${packagePath}: ${bundled ? `with the server, for ${target}` : "without a server, for all systems"}`);
