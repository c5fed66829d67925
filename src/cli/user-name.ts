import { spawnSync } from "node:child_process";
import { userInfo } from "node:os";

/**
 * Who runs this process, for the history of tags and the trash. In containers the user often has
 * a number and no name.
 *
 * The runtime takes the name from USER, which a cron job or `docker exec` has not, and which
 * anybody may set. `id` asks the system, and with it whatever directory of users a company has.
 */
export function userName(): string {
  const { status, stdout } = spawnSync("id", ["-un"], { encoding: "utf8" });
  const name = status === 0 ? stdout.trim() : "";
  return name === "" ? `uid ${userInfo().uid}` : name;
}
