import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { findServer, type Places } from "../src/find";

const top = mkdtempSync(join(tmpdir(), "assist-find-"));
after(() => rmSync(top, { recursive: true, force: true }));
const name = process.platform === "win32" ? "assist.exe" : "assist";

function program(...parts: string[]): string {
  const path = join(top, ...parts);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "", { mode: 0o755 });
  return path;
}

function places(changes: Partial<Places>): Places {
  return { setting: "", extension: join(top, "none"), home: join(top, "none"), env: {}, platform: process.platform, ...changes };
}

test("the strongest place wins", () => {
  const set = program("set", name);
  const bundled = program("extension", "bin", name);
  const named = program("named", name);
  const onPath = program("path", name);
  const cargo = program("home", ".cargo", "bin", name);
  const all: Places = places({
    setting: set,
    extension: join(top, "extension"),
    home: join(top, "home"),
    env: { ASSIST_BIN: named, PATH: [join(top, "empty"), join(top, "path")].join(delimiter) },
  });
  assert.deepEqual(findServer(all), { path: set, by: "setting" });
  assert.deepEqual(findServer({ ...all, setting: "" }), { path: bundled, by: "bundle" });
  const unbundled = { ...all, setting: "", extension: join(top, "none") };
  assert.deepEqual(findServer(unbundled), { path: named, by: "ASSIST_BIN" });
  assert.deepEqual(findServer({ ...unbundled, env: { PATH: all.env.PATH } }), { path: onPath, by: "PATH" });
  assert.deepEqual(findServer({ ...unbundled, env: {} }), { path: cargo, by: "cargo" });
});

test("what was named but cannot be run is said, and nothing else is run in its place", () => {
  const onPath = program("path2", name);
  const env = { PATH: join(onPath, "..") };
  for (const found of [
    findServer(places({ setting: join(top, "absent"), env })),
    findServer(places({ setting: "relative/assist", env })),
    findServer(places({ env: { ...env, ASSIST_BIN: join(top, "absent") } })),
  ]) {
    assert.ok("problem" in found);
  }
});

test("a folder of the PATH that is relative is passed over", () => {
  const found = findServer(places({ env: { PATH: [".", "bin", ""].join(delimiter) } }));
  assert.ok("problem" in found);
});
