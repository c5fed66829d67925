import type { Handler } from "../exchange.ts";
import { emptyReply, jsonReply, type Reply, SharedHeaders } from "../reply.ts";

const ok: Reply = {
  status: 200,
  headers: new SharedHeaders({ "Content-Type": "application/json" }),
  body: { kind: "bytes", bytes: "{}" },
};

/** `GET /v2/`: yes, this is a registry (end-1). Docker asks it before every command. */
export const base: Handler<"base"> = async () => ok;

/** `GET /`: alive. Distribution answers 200 here, and load balancers ask it. */
export const root: Handler<"root"> = async () => emptyReply(200);

/** `_oci/ext/discover`: which extensions there are; Berth has none under `/v2/`. */
export const discover: Handler<"discover"> = async () => jsonReply({ extensions: [] });
