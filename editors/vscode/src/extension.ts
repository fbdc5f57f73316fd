/** Assist for VS Code: a thin client of `assist lsp`. This file only puts the parts together. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { Answers } from "./answers";
import { Asker } from "./ask";
import { Flash } from "./flash";
import { PromptHistory } from "./history";
import { Keys } from "./keys";
import { ProgressNotes } from "./progress";
import { PromptBox } from "./prompt";
import { type AskParams, type Intent, fields, readRefusal, sentence, text } from "./protocol";
import { Questions } from "./questions";
import { offer } from "./reopening";
import { Runs } from "./runs";
import { Session } from "./session";
import { Sessions } from "./sessions";
import { StatusBar } from "./statusbar";
import { Steering } from "./steering";
import { RunsView } from "./tree";

const INTENTS: Record<string, Intent> = {
  "assist.ui.ask": "ask",
  "assist.ui.build": "build",
  "assist.ui.rewrite": "rewrite",
  "assist.ui.fix": "fix",
  "assist.ui.explain": "explain",
  "assist.ui.addTests": "test",
  "assist.ui.document": "document",
};

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Assist", { log: true });
  const runs = new Runs();
  const flash = new Flash();
  const progress = new ProgressNotes((method, params) => session?.notify(method, params));
  const middleware: Middleware = {
    handleWorkDoneProgress: progress.handle,
    workspace: { handleApplyEdit: flash.handle },
    // What the lightbulb runs comes here: `assist.ask` may need words first, everything else goes to the server.
    executeCommand: async (command, args) => {
      const argument = fields(args[0]);
      if (command === "assist.ask") await asker.ask({ intent: "ask", ...argument } as AskParams);
      else await tell(command, argument);
    },
  };
  session = new Session(context, runs, log, middleware);
  const server = session;
  const prompts = new PromptBox(new PromptHistory(context.workspaceState));
  const keys = new Keys(server, log);
  const icon = vscode.Uri.joinPath(context.extensionUri, "images", "icon.png");
  const answers: Answers = new Answers(icon, runs, (run) => asker.followUp(run));
  const asker: Asker = new Asker(server, runs, prompts, answers, keys, log);

  /** Sends a command and says what went wrong with it. */
  async function tell(command: string, argument: object): Promise<boolean> {
    if (!(await server.ready())) return false;
    try {
      await server.command(command, argument);
      return true;
    } catch (error) {
      log.warn(`${command} was refused: ${sentence(readRefusal(error))}`);
      void vscode.window.showErrorMessage(sentence(readRefusal(error)));
      return false;
    }
  }
  const about = async (command: string, runId: string): Promise<void> => void (await tell(command, { runId }));
  const sessions = new Sessions(server, about, runs);
  const questions = new Questions(icon, runs, tell);
  // Before what is seen: when the status bar shows a run, the palette has what can be done with it.
  const steering = new Steering(server, runs, sessions, tell);
  const status = new StatusBar(server, runs, questions);
  const view = new RunsView(runs, server);

  context.subscriptions.push(log, runs, flash, progress, server, prompts, answers, sessions, status, questions, steering, view);
  context.subscriptions.push(
    server.onDidChange(() => {
      if (server.link !== "ready") progress.clear();
    }),
    server.onDidRest((rows) => void offer(rows, runs, steering, tell)),
  );
  for (const [command, intent] of Object.entries(INTENTS)) {
    context.subscriptions.push(
      vscode.commands.registerCommand(command, (argument: unknown) => asker.fromEditor(intent, text(fields(argument).prompt))),
    );
  }
  const commands: Record<string, (argument: unknown) => unknown> = {
    "assist.ui.talk": () => asker.talk(),
    ...steering.commands,
    "assist.ui.undo": (run) => tell("assist.undo", text(fields(run).id) === undefined ? {} : { runId: fields(run).id }),
    "assist.ui.sessions": () => sessions.pick(),
    "assist.ui.setKey": () => keys.set(),
    "assist.ui.status": () => status.menu(),
    "assist.ui.adopt": () => tell("assist.adopt", {}),
    "assist.ui.restart": () => server.restart(),
    "assist.ui.showLog": () => log.show(),
  };
  for (const [command, act] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(command, act));
  }
  await server.ready();
}

export async function deactivate(): Promise<void> {
  await session?.stop();
}
