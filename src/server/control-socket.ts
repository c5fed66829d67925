import { chmodSync } from "node:fs";
import type { Logger } from "../base/logger.ts";
import { CommandArguments, type CommandParts, type ExitCode } from "./commands/command.ts";
import { commands } from "./commands/commands.ts";
import { listenProblem } from "./listen-problem.ts";
import { openServer, type Server } from "./server-socket.ts";
import { removeStaleSocket } from "./unix-socket.ts";

/**
 * The socket by which commands reach the server that has the registry open: a file in the data
 * folder that only the owner of the data may use. No port, no login: whoever may write there
 * could change the data anyway.
 *
 *     POST /<command name>    {"version": "0.1.0", "values": {"repository": "team/app"}}
 *     200                     {"line": "…"} one a line, and last {"exit": 0} or {"error": "…"}
 */
export interface ControlOptions {
  readonly path: string;
  readonly version: string;
  readonly parts: Omit<CommandParts, "print" | "signal">;
  readonly logger: Logger;
  /** Aborted when the server stops. */
  readonly ends: AbortSignal;
}

/** What a line of the answer can be. */
export type ControlLine =
  | { readonly line: string }
  | { readonly exit: ExitCode }
  | { readonly error: string };

/** Undefined when the socket cannot be opened: the registry serves, and the log says so. */
export async function startControlSocket(options: ControlOptions): Promise<Server | undefined> {
  const listen = { kind: "unix", path: options.path } as const;
  try {
    await removeStaleSocket(options.path);
    const server = openServer({
      listen,
      tls: undefined,
      isHttp2: false,
      fetch: (request) => answer(request, options),
    });
    chmodSync(options.path, 0o600);
    return server;
  } catch (error) {
    // A path of more than about 100 bytes, or a file system without sockets.
    options.logger.warn("commands such as berth gc run cannot reach this server", {
      error: listenProblem(error, { key: "the control socket", listen }),
    });
    return undefined;
  }
}

async function answer(request: Request, options: ControlOptions): Promise<Response> {
  const name = decodeURIComponent(request.url.replace(/^https?:\/\/[^/]*\//, ""));
  const body: unknown = await request.json();
  const { version, values } = callIn(body);
  if (version !== options.version) {
    const error =
      `the server runs Berth ${options.version} and this command is of another version: ` +
      "use the same executable";
    return new Response(encode({ error }));
  }
  const signal = AbortSignal.any([request.signal, options.ends]);
  return new Response(linesOf(name, new CommandArguments(values), { ...options.parts, signal }));
}

/** The answer as it comes about. */
function linesOf(
  name: string,
  args: CommandArguments,
  parts: Omit<CommandParts, "print">,
): ReadableStream<Uint8Array> {
  let isOpen = true;
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (line: ControlLine): void => {
        if (isOpen) controller.enqueue(encode(line));
      };
      const end = (line: ControlLine): void => {
        send(line);
        if (isOpen) controller.close();
        isOpen = false;
      };
      const command = commands.get(name);
      if (command === undefined) return end({ error: `the server knows no command ${name}` });
      command({ ...parts, print: (line) => send({ line }) }, args).then(
        (exit) => end({ exit }),
        (error: unknown) => {
          parts.logger.warn("a command failed", { command: name, error });
          end({ error: describe(error) });
        },
      );
    },
    cancel: () => {
      isOpen = false;
    },
  });
}

function callIn(body: unknown): {
  readonly version: unknown;
  readonly values: Readonly<Record<string, unknown>>;
} {
  const { version, values }: { version?: unknown; values?: unknown } =
    typeof body === "object" && body !== null ? body : {};
  return { version, values: typeof values === "object" && values !== null ? { ...values } : {} };
}

function encode(line: ControlLine): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(line)}\n`);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
