/** Saves a document that the server changed and that had no unsaved changes before: `assist/save` of PROTOCOL.md. */

import * as vscode from "vscode";
import { fields, text } from "./protocol";

interface Saved {
  saved: boolean;
  reason?: string;
}

export async function saveDocument(params: unknown): Promise<Saved> {
  if (!vscode.workspace.getConfiguration("assist").get("save", true)) return { saved: false, reason: "assist.save is off" };
  const asked = fields(params);
  const uri = text(asked.uri);
  if (uri === undefined) return { saved: false, reason: "no document was named" };
  const wanted = vscode.Uri.parse(uri).toString();
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === wanted);
  if (document === undefined) return { saved: false, reason: "the document is not open" };
  if (document.version !== asked.version) return { saved: false, reason: "the document has changed since" };
  return (await document.save()) ? { saved: true } : { saved: false, reason: "the editor did not save it" };
}
