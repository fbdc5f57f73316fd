/** The connection to the server: one for the window, over all its folders. */

import { homedir } from "node:os";
import * as vscode from "vscode";
import { type ClientCapabilities, ExecuteCommandRequest, LanguageClient, type Middleware, State } from "vscode-languageclient/node";
import { findServer } from "./find";
import { type RunRow, type ServerStatus, fields, readDelta, readEvent, readRuns, readStatus, text } from "./protocol";
import type { Runs } from "./runs";
import { saveDocument } from "./save";

/** How the connection stands. */
export type Link = "starting" | "ready" | "missing" | "failed" | "stopped";

export class Session implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<boolean> | undefined;
  private toldMissing = false;
  private readonly changed = new vscode.EventEmitter<void>();

  readonly onDidChange = this.changed.event;
  private readonly rests = new vscode.EventEmitter<RunRow[]>();
  /** Runs rest in a workspace that was opened. */
  readonly onDidRest = this.rests.event;
  link: Link = "stopped";
  /** Why there is no connection, as one sentence. */
  problem = "";
  /** What the server last said of itself. */
  status: ServerStatus | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly runs: Runs,
    private readonly log: vscode.LogOutputChannel,
    private readonly middleware: Middleware,
  ) {
    context.subscriptions.push(
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.tellOptions()),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("assist.server.path")) void this.restart();
        else if (change.affectsConfiguration("assist")) this.tellOptions();
      }),
    );
  }

  /** Starts the server unless it runs already. Returns whether there is one; when not, the user has been told. */
  async ready(): Promise<boolean> {
    if (this.client?.state === State.Running) return true;
    if (this.link === "missing") this.toldMissing = false;
    this.starting ??= this.start().finally(() => (this.starting = undefined));
    return this.starting;
  }

  async restart(): Promise<boolean> {
    await this.starting;
    await this.stop();
    this.toldMissing = false;
    return this.ready();
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client === undefined) return;
    try {
      await client.dispose(2000);
    } catch (error) {
      this.log.debug(`The server did not stop in time: ${String(error)}`);
    }
    this.runs.interrupt();
    this.set("stopped", "");
  }

  /** Sends a command of PROTOCOL.md. The argument is one object. */
  async command(command: string, argument: object): Promise<unknown> {
    return this.request(ExecuteCommandRequest.method, { command, arguments: [argument] });
  }

  async request(method: string, params: object): Promise<unknown> {
    if (this.client === undefined) throw new Error("The Assist server is not running.");
    return this.client.sendRequest(method, params);
  }

  notify(method: string, params: object): void {
    this.client?.sendNotification(method, params).catch((error: unknown) => this.log.debug(String(error)));
  }

  /** The client's converters; only while a server runs. */
  get converters(): Pick<LanguageClient, "code2ProtocolConverter" | "protocol2CodeConverter"> | undefined {
    return this.client;
  }

  /** Asks the server whether it can reach a model. */
  async refreshStatus(): Promise<ServerStatus | undefined> {
    try {
      this.status = readStatus(await this.request("assist/status", {}));
    } catch (error) {
      this.log.debug(`assist/status: ${String(error)}`);
    }
    this.changed.fire();
    return this.status;
  }

  /** The binary that would be started now, if there is one. */
  server(): string | undefined {
    const found = this.find();
    return "path" in found ? found.path : undefined;
  }

  dispose(): void {
    this.rests.dispose();
    this.changed.dispose();
  }

  private find(): ReturnType<typeof findServer> {
    return findServer({
      setting: vscode.workspace.getConfiguration("assist").get("server.path", ""),
      extension: this.context.extensionPath,
      home: homedir(),
      env: process.env,
      platform: process.platform,
    });
  }

  private async start(): Promise<boolean> {
    const found = this.find();
    if ("problem" in found) {
      this.set("missing", found.problem);
      this.tellMissing(found.problem);
      return false;
    }
    await this.stop();
    this.log.info(`Starting ${found.path} (found by ${found.by})`);
    this.set("starting", "");
    const client = this.connect(found.path);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.set("failed", `The Assist server did not start: ${error instanceof Error ? error.message : String(error)}`);
      this.client = undefined;
      void this.tellFailed();
      return false;
    }
    if (fields(fields(client.initializeResult?.capabilities.experimental).assist).protocol !== 1) {
      this.log.warn("The server speaks another version of Assist's protocol than this extension; update both.");
    }
    this.set("ready", "");
    void this.refreshStatus();
    return true;
  }

  /**
   * A question with buttons is a message. A plan has a card with the buttons on it: beside it there is no message, since one that was
   * answered on the card could not be taken away.
   */
  private async asked(params: unknown, token: vscode.CancellationToken): Promise<unknown> {
    const { type, message, actions } = fields(params);
    const words = text(message) ?? "";
    const start = words.replace(/…$/, "");
    const onCard = this.runs.open().some(({ question }) => question !== undefined && question.steps > 0 && oneLine(question.text).startsWith(start));
    if (onCard) return new Promise((resolve) => token.onCancellationRequested(() => resolve(null)));
    const buttons = Array.isArray(actions) ? actions.map((action: unknown) => ({ title: text(fields(action).title) ?? "" })) : [];
    const { showErrorMessage, showWarningMessage, showInformationMessage } = vscode.window;
    const show = type === 1 ? showErrorMessage : type === 2 ? showWarningMessage : showInformationMessage;
    return (await show(words, ...buttons)) ?? null;
  }

  private connect(path: string): LanguageClient {
    const client = new LanguageClient(
      "assist",
      "Assist",
      { command: path, args: ["lsp"] },
      {
        documentSelector: [{ scheme: "file" }, { scheme: "untitled" }],
        outputChannel: this.log,
        initializationOptions: () => this.options(),
        middleware: {
          ...this.middleware,
          workspace: {
            ...this.middleware.workspace,
            configuration: (params) => params.items.map((item) => (item.section === "assist" ? this.options() : null)),
          },
        },
        stdioOptions: {
          stdout: () => undefined,
          // What the server writes there is its log, not its errors.
          stderr: (input, log) => {
            input.setEncoding("utf8");
            input.on("data", (lines: string) => {
              for (const line of lines.split(/\r?\n/)) if (line !== "") log.info(line);
            });
          },
        },
      },
    );
    client.registerFeature({
      fillClientCapabilities: (capabilities: ClientCapabilities) => {
        capabilities.experimental = { ...fields(capabilities.experimental), assist: { protocol: 1 } };
      },
      initialize: () => undefined,
      getState: () => ({ kind: "static" }),
      clear: () => undefined,
    });
    client.onRequest("window/showMessageRequest", (params: unknown, token: vscode.CancellationToken) => this.asked(params, token));
    client.onRequest("assist/save", (params: unknown) => saveDocument(params));
    client.onNotification("assist/event", (params: unknown) => {
      const event = readEvent(params);
      if (event !== undefined) this.runs.event(event);
    });
    client.onNotification("assist/runs", (params: unknown) => this.runs.list(readRuns(params)));
    client.onNotification("assist/resting", (params: unknown) => this.rests.fire(readRuns(params)));
    client.onNotification("assist/delta", (params: unknown) => {
      const delta = readDelta(params);
      if (delta !== undefined) this.runs.delta(delta);
    });
    client.onDidChangeState(({ newState }) => {
      if (this.client !== client) return;
      if (newState === State.Running) this.set("ready", "");
      else if (newState === State.Starting) this.set("starting", "");
      else {
        this.runs.interrupt();
        this.set("stopped", "The Assist server stopped.");
      }
    });
    return client;
  }

  /** The object that PROTOCOL.md calls `initializationOptions`. */
  private options(): Record<string, unknown> {
    const settings = vscode.workspace.getConfiguration("assist");
    const options: Record<string, unknown> = {
      apply: settings.get("apply", "direct"),
      pipeline: settings.get("pipeline", {}),
      trusted: vscode.workspace.isTrusted,
    };
    for (const name of ["provider", "model"]) {
      const value = settings.get(name, "").trim();
      if (value !== "") options[name] = value;
    }
    return options;
  }

  private tellOptions(): void {
    this.notify("workspace/didChangeConfiguration", { settings: { assist: this.options() } });
    if (this.link === "ready") void this.refreshStatus();
  }

  private set(link: Link, problem: string): void {
    this.link = link;
    this.problem = problem;
    this.changed.fire();
  }

  private tellMissing(problem: string): void {
    if (this.toldMissing) return;
    this.toldMissing = true;
    const choose = "Choose Binary…";
    const settings = "Open Settings";
    void vscode.window.showErrorMessage(problem, choose, settings).then(async (chosen) => {
      if (chosen === choose) await chooseServer();
      else if (chosen === settings) await vscode.commands.executeCommand("workbench.action.openSettings", "assist.server.path");
    });
  }

  private async tellFailed(): Promise<void> {
    const log = "Show Log";
    const again = "Try Again";
    const chosen = await vscode.window.showErrorMessage(this.problem, again, log);
    if (chosen === again) await this.restart();
    else if (chosen === log) this.log.show(true);
  }
}

/** Lets the user pick the binary; the changed setting starts it. */
export async function chooseServer(): Promise<void> {
  const [picked] = (await vscode.window.showOpenDialog({ title: "Choose the assist binary", openLabel: "Use This", canSelectMany: false })) ?? [];
  if (picked === undefined) return;
  await vscode.workspace.getConfiguration("assist").update("server.path", picked.fsPath, vscode.ConfigurationTarget.Global);
}

function oneLine(words: string): string {
  return words.replace(/\s+/g, " ").trim();
}
