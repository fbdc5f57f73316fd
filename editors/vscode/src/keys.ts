/**
 * Giving Assist a provider's key. The key goes from a password box to `assist auth set PROVIDER` on its standard input:
 * never on a command line, never into settings, never into a log.
 */

import { spawn } from "node:child_process";
import { homedir } from "node:os";
import * as vscode from "vscode";
import { type Refusal, sentence } from "./protocol";
import type { Session } from "./session";

interface Provider extends vscode.QuickPickItem {
  id: string;
}

const PROVIDERS: Provider[] = [
  { id: "anthropic", label: "Anthropic", description: "Claude" },
  { id: "openai", label: "OpenAI", description: "GPT" },
  { id: "gemini", label: "Google Gemini", description: "Gemini" },
  { id: "openrouter", label: "OpenRouter", description: "many models, one key" },
  { id: "nim", label: "NVIDIA NIM", description: "hosted or your own" },
  { id: "openai-compatible", label: "OpenAI-compatible server", description: "its address comes from config.toml" },
];

const MOST_OUTPUT = 4000;

export class Keys {
  constructor(
    private readonly session: Session,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** After a refusal for want of a model: says so, and offers to take a key. Returns whether asking again makes sense. */
  async offer(refusal: Refusal): Promise<boolean> {
    const enter = "Enter API Key…";
    const again = "Try Again";
    const chosen = await vscode.window.showWarningMessage(sentence(refusal), enter, again);
    if (chosen === again) return true;
    return chosen === enter ? this.set() : false;
  }

  /** Asks for a provider and its key, and hands it to the server's own store. Returns whether it was kept. */
  async set(): Promise<boolean> {
    const server = this.session.server();
    if (server === undefined) {
      await this.session.restart();
      return false;
    }
    const wanted = vscode.workspace.getConfiguration("assist").get("provider", "");
    const providers = [...PROVIDERS].sort((a, b) => Number(b.id === wanted) - Number(a.id === wanted));
    const provider = await vscode.window.showQuickPick(providers, {
      title: "Assist: Set API Key (1/2)",
      placeHolder: "Whose key is it? A local Ollama needs none: start it and ask again.",
      ignoreFocusOut: true,
    });
    if (provider === undefined) return false;
    const key = await vscode.window.showInputBox({
      title: `Assist: Set API Key (2/2) · ${provider.label}`,
      prompt: "Kept in this computer's keyring, or in a file only you can read. Never in settings.",
      placeHolder: "Paste the key",
      password: true,
      ignoreFocusOut: true,
      validateInput: (value) => (/[\r\n]/.test(value.trim()) ? "A key is one line." : undefined),
    });
    if (key === undefined || key.trim() === "") return false;
    const problem = await store(server, provider.id, key.trim());
    if (problem !== undefined) {
      this.log.error(`assist auth set ${provider.id}: ${problem}`);
      void vscode.window.showErrorMessage(`The key was not kept: ${problem}`);
      return false;
    }
    await this.session.refreshStatus();
    void vscode.window.setStatusBarMessage(`$(check) Assist: key for ${provider.label} kept`, 5000);
    return true;
  }
}

/** Runs `assist auth set`; what went wrong, or nothing. */
async function store(server: string, provider: string, key: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(server, ["auth", "set", provider], { cwd: homedir(), stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (piece: string) => (said = (said + piece).slice(-MOST_OUTPUT)));
    child.stdin.on("error", () => undefined); // it ended early: its exit code tells more
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => {
      if (code === 0) resolve(undefined);
      else resolve(said.trim().split("\n").at(-1)?.replaceAll(key, "…") || `assist ended with code ${code}.`);
    });
    child.stdin.end(`${key}\n`);
  });
}
