import type { Actor } from "../../registry/actor.ts";
import type { CommandArguments } from "./command.ts";

/** Whoever runs a command: by the name that the operating system knows, if it is known. */
export function actorIn(args: CommandArguments, command: string): Actor {
  return { name: args.optionalText("user") ?? "berth command", client: command };
}
