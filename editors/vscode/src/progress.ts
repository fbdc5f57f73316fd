/** The server's work-done progress as a notification that can be cancelled. */

import * as vscode from "vscode";
import { type Middleware, WorkDoneProgressCancelNotification } from "vscode-languageclient/node";

interface Note {
  report(message: string | undefined, percentage: number | undefined): void;
  end(): void;
}

export class ProgressNotes implements vscode.Disposable {
  private readonly notes = new Map<string | number, Note>();

  constructor(private readonly notify: (method: string, params: object) => void) {}

  /** In place of the client library's own display, which is a line in the status bar that cannot be cancelled. */
  readonly handle: NonNullable<Middleware["handleWorkDoneProgress"]> = (token, params, next) => {
    switch (params.kind) {
      case "begin":
        this.notes.get(token)?.end();
        this.notes.set(token, this.begin(token, params.title, params.cancellable !== false));
        this.notes.get(token)?.report(params.message, params.percentage);
        break;
      case "report":
        this.notes.get(token)?.report(params.message, params.percentage);
        break;
      case "end":
        this.notes.get(token)?.end();
        this.notes.delete(token);
        next(token, params);
        break;
    }
  };

  /** Takes all notifications away: whoever reported is gone. */
  clear(): void {
    for (const note of this.notes.values()) note.end();
    this.notes.clear();
  }

  dispose(): void {
    this.clear();
  }

  private begin(token: string | number, title: string, cancellable: boolean): Note {
    let done: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (done = resolve));
    let shown: vscode.Progress<{ message?: string; increment?: number }> | undefined;
    let last: { message?: string; increment?: number } | undefined;
    let reached = 0;
    void vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable }, async (progress, cancelled) => {
      shown = progress;
      if (last !== undefined) progress.report(last);
      cancelled.onCancellationRequested(() => this.notify(WorkDoneProgressCancelNotification.method, { token }));
      await over;
    });
    return {
      report: (message, percentage) => {
        const step: { message?: string; increment?: number } = {};
        if (message !== undefined) step.message = message;
        if (percentage !== undefined && percentage > reached) {
          step.increment = Math.min(percentage, 100) - reached;
          reached = Math.min(percentage, 100);
        }
        if (shown === undefined) last = { ...last, ...step };
        else shown.report(step);
      },
      end: () => done(),
    };
  }
}
