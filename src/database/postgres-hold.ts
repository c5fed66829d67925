import { messageOf } from "../base/errors.ts";
import { connectPostgres } from "./postgres.ts";

/** A database that this process has to itself, as long as it is alive. */
export interface HeldDatabase {
  /**
   * Whether another process has taken it, in a moment when the connection was lost. Takes it back
   * when it can. A server that does not answer is no such process.
   */
  isLost(): Promise<boolean>;
  release(): Promise<void>;
}

export interface HoldOptions {
  readonly url: string;
  /** How long to wait for a process that is just ending. */
  readonly waitMs: number;
  readonly sleep: (delayMs: number) => Promise<void>;
}

/** Two keys of one advisory lock, which is the whole database's. */
const [lockClass, lockObject] = [1651864180, 1751084132];
const retryMs = 100;

/** How long the server believes in a holder whose machine is gone: about a minute, not two hours. */
const keepalives =
  "select set_config('tcp_keepalives_idle', '30', false), " +
  "set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)";

const holderQuery =
  "select a.pid, coalesce(host(a.client_addr), '') as address, a.backend_start::text as since " +
  "from pg_locks l join pg_stat_activity a on a.pid = l.pid where l.locktype = 'advisory' " +
  `and l.classid = ${lockClass} and l.objid = ${lockObject} and l.granted ` +
  "and l.database = (select oid from pg_database where datname = current_database())";

/**
 * Keeps a second registry away from a database: each compares it with a storage of its own, and
 * would take what the other has pushed for deleted. The server unlocks it when the connection ends,
 * also that of a process that was killed.
 *
 * @throws {Error} with a sentence when another process has it.
 */
export async function holdPostgres({ url, waitMs, sleep }: HoldOptions): Promise<HeldDatabase> {
  // One connection, because the lock is the connection's.
  const client = connectPostgres(url, 1);
  let holderPid: number | undefined;
  const take = async (): Promise<boolean> => {
    const [row]: { pid: number }[] = await client.unsafe("select pg_backend_pid() as pid");
    if (row !== undefined && row.pid === holderPid) return true;
    await client.unsafe(keepalives);
    const [lock]: { taken: boolean }[] = await client.unsafe(
      `select pg_try_advisory_lock(${lockClass}, ${lockObject}) as taken`,
    );
    holderPid = lock?.taken === true ? row?.pid : undefined;
    return holderPid !== undefined;
  };
  const holder = async (): Promise<string | undefined> => {
    for (let waitedMs = 0; !(await take()); waitedMs += retryMs) {
      if (waitedMs >= waitMs) return whoHas(await client.unsafe<Holder[]>(holderQuery));
      await sleep(retryMs);
    }
    return undefined;
  };
  let other: string | undefined;
  try {
    other = await holder();
  } catch (cause) {
    await client.close();
    throw new Error(`cannot open the PostgreSQL database: ${messageOf(cause)}`, { cause });
  }
  if (other !== undefined) {
    await client.close();
    throw new Error(
      `the database of database.url is in use by ${other}; two registries on one database would ` +
        "damage each other: stop that one, or give this one a database of its own",
    );
  }
  return {
    isLost: () =>
      take().then(
        (isTaken) => !isTaken,
        () => false,
      ),
    release: () => client.close(),
  };
}

interface Holder {
  readonly pid: number;
  readonly address: string;
  readonly since: string;
}

function whoHas([holder]: readonly Holder[]): string {
  if (holder === undefined) return "another process";
  const from = holder.address === "" ? "" : ` from ${holder.address}`;
  return `another process (backend ${holder.pid}${from}, since ${holder.since})`;
}
