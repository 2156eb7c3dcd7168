import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { allows, type Account, type Accounts } from "./accounts.ts";
import { answerReview, isReview } from "./accessreview.ts";
import { faultyAnswer, send, sendBare, type Answer } from "./answers.ts";
import { parseApiCall, type ApiCall } from "./apicall.ts";
import { discover } from "./discovery.ts";
import type { Faults } from "./faults.ts";
import type { FrontDoor } from "./frontdoor.ts";
import type { KubernetesVersion } from "./kubernetesversion.ts";
import type { RequestLog, RequestRecord } from "./requestlog.ts";
import type { ResourceApi } from "./resourceapi.ts";
import {
  badRequest,
  forbidden,
  forbiddenUpgrade,
  noSuchResource,
  unauthorized,
  type Status,
} from "./statuses.ts";
import type { Upgrades } from "./upgrades.ts";

/** What the API server stands on. */
export interface ApiServerSurroundings {
  readonly door: FrontDoor;
  /** In front of every path, without a slash at its end. */
  readonly prefix: string;
  readonly accounts: Accounts;
  readonly requests: RequestLog;
  readonly faults: Faults;
  readonly resources: ResourceApi;
  readonly upgrades: Upgrades;
  readonly version: KubernetesVersion;
  /** A request has been logged. */
  readonly onRequest: () => void;
}

/** A request that has been looked at: what it asks for, by whom, and why not, if so. */
interface Checked {
  readonly url: URL;
  readonly record: RequestRecord;
  readonly call: ApiCall | undefined;
  readonly account: Account | undefined;
  readonly refusal: Status | undefined;
}

const NO_PAGE: Answer = { status: 404, body: "404 page not found\n" };

/** Serves the API through the door: takes requests, decides who may do what, and hands them on. */
export function serveApi(around: ApiServerSurroundings): void {
  const { http } = around.door;
  http.on("request", (request, response) => serveRequest(around, request, response));
  http.on("upgrade", (request: IncomingMessage, socket: Socket) => serveUpgrade(around, request, socket));
}

function serveRequest(
  around: ApiServerSurroundings,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const checked = check(around, request);
  const { faults, resources, door } = around;
  if (checked === undefined) {
    send(response, NO_PAGE);
    return;
  }
  const { record, call, account, refusal, url } = checked;
  if (faults.answers !== undefined && faults.takes(faults.answers, record)) {
    send(response, faultyAnswer(faults.answers));
  } else if (refusal !== undefined) {
    sendStatus(response, refusal);
  } else if (call === undefined) {
    const body = discover(url.pathname, `127.0.0.1:${door.port}`, around.version.minor);
    send(response, body === undefined || request.method !== "GET" ? NO_PAGE : { status: 200, body });
  } else if (account !== undefined && isReview(call)) {
    void answerReview(account, request).then((answer) => send(response, answer));
  } else if (call.subresource === "portforward") {
    sendStatus(response, badRequest("Upgrade request required"));
  } else {
    void resources.serve(call, request, response);
  }
}

function serveUpgrade(around: ApiServerSurroundings, request: IncomingMessage, socket: Socket): void {
  const checked = check(around, request);
  if (checked === undefined) {
    sendBare(socket, NO_PAGE);
    return;
  }
  const { record, call, refusal } = checked;
  const { name, namespace } = call ?? {};
  const isForward = call?.resource === "pods" && call.subresource === "portforward";
  if (refusal !== undefined) {
    sendBare(socket, { status: refusal.code, body: refusal });
  } else if (isForward && name !== undefined && namespace !== undefined) {
    around.upgrades.serve({ call, name, namespace, record }, request, socket);
  } else {
    sendBare(socket, { status: 404, body: noSuchResource() });
  }
}

/** Undefined when it is outside the prefix. */
function check(
  { accounts, requests, prefix, onRequest, version }: ApiServerSurroundings,
  request: IncomingMessage,
): Checked | undefined {
  const { method = "GET", headers, url: target = "/" } = request;
  if (!target.startsWith(`${prefix}/`)) return undefined;
  const url = new URL(`http://sandbox${target.slice(prefix.length)}`);
  const call = parseApiCall(method, url.pathname, url.searchParams);
  const account = accounts.authenticate(headers.authorization);
  const record: RequestRecord = {
    atMs: Date.now(),
    method,
    path: `${url.pathname}${url.search}`,
    verb: call?.verb,
    resource: call?.resource,
    subresource: call?.subresource,
    namespace: call?.namespace,
    name: call?.name,
    user: account?.name,
    userAgent: headers["user-agent"],
    upgrade: headers.upgrade,
    subprotocols: headers["sec-websocket-protocol"],
  };
  requests.add(record);
  onRequest();
  return { url, record, call, account, refusal: refusalOf(account, call, version) };
}

function refusalOf(
  account: Account | undefined,
  call: ApiCall | undefined,
  { getNeedsCreate }: KubernetesVersion,
): Status | undefined {
  if (account === undefined) return unauthorized();
  if (call === undefined || isReview(call)) return undefined;
  if (!allows(account, call)) return forbidden(account.name, call);
  const isForwardByGet = call.subresource === "portforward" && call.verb === "get";
  const lacksCreate = getNeedsCreate && isForwardByGet && !allows(account, { ...call, verb: "create" });
  return lacksCreate ? forbiddenUpgrade(call) : undefined;
}

function sendStatus(response: ServerResponse, status: Status): void {
  send(response, { status: status.code, body: status });
}
