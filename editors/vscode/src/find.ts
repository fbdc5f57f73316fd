/** Where the server's binary is. Pure but for looking at the disk, and free of VS Code, so that it can be tested. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

export interface Places {
  /** The setting `assist.server.path`; empty when it is not set. */
  setting: string;
  /** The extension's own folder. */
  extension: string;
  home: string;
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
}

export type Found = { path: string; by: "setting" | "ASSIST_BIN" | "bundle" | "PATH" | "cargo" } | { problem: string };

/** Finds the binary: what the user set, the bundled one, `ASSIST_BIN`, the PATH, cargo's folder. */
export function findServer(places: Places): Found {
  const name = places.platform === "win32" ? "assist.exe" : "assist";
  const setting = places.setting.trim();
  if (setting !== "") {
    const path = setting.startsWith("~/") ? join(places.home, setting.slice(2)) : setting;
    if (!isAbsolute(path)) return { problem: `The setting assist.server.path must be an absolute path, but is "${setting}".` };
    return executable(path)
      ? { path, by: "setting" }
      : { problem: `The setting assist.server.path names "${setting}", which is not a program that can be run.` };
  }
  const bundled = join(places.extension, "bin", name);
  if (executable(bundled)) return { path: bundled, by: "bundle" };

  const named = places.env.ASSIST_BIN ?? "";
  if (named !== "") {
    return isAbsolute(named) && executable(named)
      ? { path: named, by: "ASSIST_BIN" }
      : { problem: `The environment variable ASSIST_BIN names "${named}", which is not the absolute path of a program.` };
  }
  for (const folder of (places.env.PATH ?? places.env.Path ?? "").split(delimiter)) {
    // A relative folder would let an opened project decide what is run.
    if (folder !== "" && isAbsolute(folder) && executable(join(folder, name))) return { path: join(folder, name), by: "PATH" };
  }
  const cargo = join(places.home, ".cargo", "bin", name);
  if (executable(cargo)) return { path: cargo, by: "cargo" };
  return { problem: "The Assist server was not found: no program named assist is bundled, on the PATH, or in ~/.cargo/bin." };
}

function executable(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
