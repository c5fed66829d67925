import { chmodSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { CommandArguments, type CommandParts, type ExitCode } from "./commands/command.ts";
import { commands } from "./commands/commands.ts";
import { listenProblem } from "./listen-problem.ts";
import { openServer } from "./server-socket.ts";
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

/** The socket while the server runs. */
export interface ControlSocket {
  /** Resolves when no command runs any more; `ends` has been aborted before. */
  ended(): Promise<void>;
  /** Closes the socket, and every connection with it. */
  stop(): Promise<void>;
}

/** Undefined when the socket cannot be opened: the registry serves, and the log says so. */
export async function startControlSocket(
  options: ControlOptions,
): Promise<ControlSocket | undefined> {
  const listen = { kind: "unix", path: options.path } as const;
  const running = new Set<Promise<void>>();
  try {
    await removeStaleSocket(options.path);
    const server = openServer({
      listen,
      tls: undefined,
      isHttp2: false,
      fetch: (request) => answer(request, options, running),
    });
    chmodSync(options.path, 0o600);
    return {
      ended: async () => void (await Promise.all(running)),
      stop: () => server.stop(true),
    };
  } catch (error) {
    // A path of more than about 100 bytes, or a file system without sockets.
    options.logger.warn("commands such as berth gc run cannot reach this server", {
      error: listenProblem(error, { key: "the control socket", listen }),
    });
    return undefined;
  }
}

async function answer(
  request: Request,
  options: ControlOptions,
  running: Set<Promise<void>>,
): Promise<Response> {
  const call = await readCall(request);
  if (call === undefined) {
    return new Response(encode({ error: "this is not a call of a command" }), { status: 400 });
  }
  const { name, version, values } = call;
  if (version !== options.version) {
    const error =
      `the server runs Berth ${options.version} and this command is of another version: ` +
      "use the same executable";
    return new Response(encode({ error }));
  }
  if (options.ends.aborted) return new Response(encode({ error: "the server is stopping" }));
  const signal = AbortSignal.any([request.signal, options.ends]);
  const parts = { ...options.parts, signal };
  const { lines, ended } = linesOf(name, new CommandArguments(values), parts);
  running.add(ended);
  void ended.then(() => running.delete(ended));
  return new Response(lines);
}

/** The answer as it comes about, and when the command has ended, whoever still listens. */
function linesOf(
  name: string,
  args: CommandArguments,
  parts: Omit<CommandParts, "print">,
): { readonly lines: ReadableStream<Uint8Array>; readonly ended: Promise<void> } {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let isOpen = true;
  const lines = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (line: ControlLine): void => {
        if (isOpen) controller.enqueue(encode(line));
      };
      const end = (line: ControlLine): void => {
        send(line);
        if (isOpen) controller.close();
        isOpen = false;
        resolve();
      };
      const command = commands.get(name);
      if (command === undefined) return end({ error: `the server knows no command ${name}` });
      command({ ...parts, print: (line) => send({ line }) }, args).then(
        (exit) => end({ exit }),
        (error: unknown) => {
          if (error === parts.signal.reason) {
            parts.logger.info("a command was broken off", { command: name });
            return end({ error: `the server is stopping: ${name} was broken off` });
          }
          parts.logger.warn("a command failed", { command: name, error });
          end({ error: messageOf(error) });
        },
      );
    },
    cancel: () => {
      isOpen = false;
    },
  });
  return { lines, ended };
}

/** Undefined for what no command line sends: thrown, it would be a page of sources in the log. */
async function readCall(request: Request) {
  try {
    const name = decodeURIComponent(request.url.replace(/^https?:\/\/[^/]*\//, ""));
    const body: unknown = await request.json();
    return { name, ...callIn(body) };
  } catch {
    return undefined;
  }
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
