import assert from "node:assert/strict";
import { test } from "node:test";
import { PromptHistory } from "../src/history";

function history(): PromptHistory {
  const kept = new Map<string, unknown>();
  return new PromptHistory({
    get: (key) => kept.get(key),
    update: (key, value) => {
      kept.set(key, value);
      return Promise.resolve();
    },
  });
}

test("the arrow keys walk back and forth, and what was typed comes back", async () => {
  const prompts = history();
  await prompts.add("first");
  await prompts.add("second");
  const walk = prompts.walk();
  assert.equal(walk.later(), undefined);
  assert.equal(walk.earlier("half a tho"), "second");
  assert.equal(walk.earlier("second"), "first");
  assert.equal(walk.earlier("first"), undefined);
  assert.equal(walk.later(), "second");
  assert.equal(walk.later(), "half a tho");
  assert.equal(walk.later(), undefined);
});

test("a prompt used again moves to the front, and old ones fall off", async () => {
  const prompts = history();
  for (let number = 0; number < 60; number += 1) await prompts.add(`prompt ${number}`);
  await prompts.add("prompt 30");
  assert.equal(prompts.all().length, 50);
  assert.equal(prompts.all()[0], "prompt 30");
  assert.equal(prompts.all().filter((prompt) => prompt === "prompt 30").length, 1);
});
