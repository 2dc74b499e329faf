// @ts-check
/**
 * PortSeal key agent: the client for web pages. One file, no dependencies, no build step.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 *
 * @typedef {"ready" | "missing" | "blocked" | "too-old" | "origin-unknown" | "origin-refused"
 *   | "busy" | "no-token" | "no-certificate" | "wrong-pin" | "locked" | "cancelled" | "timed-out"
 *   | "refused" | "failed"} AgentState
 *
 * @typedef {Object} Certificate
 * @property {string} id SHA-256 of the DER, hex
 * @property {string} der base64
 * @property {string} subject
 * @property {string} issuer
 * @property {string} serial hex
 * @property {string} notBefore RFC 3339
 * @property {string} notAfter RFC 3339
 * @property {("signing" | "encryption")[]} usage
 * @property {string} key label of the key beside it
 * @property {boolean} hasKey
 *
 * @typedef {Object} Token
 * @property {string} id
 * @property {string} label
 * @property {string} manufacturer
 * @property {string} model
 * @property {string} serial
 * @property {"ready" | "blank" | "locked" | "no-pin"} state
 * @property {"all" | "few" | "one" | "none"} pinTries what PKCS#11 tells
 * @property {Certificate[]} certificates those that this origin may see
 *
 * @typedef {Object} ToSign
 * @property {string} document base64
 * @property {string} format CAdES, XAdES, PAdES, JAdES, ASiC-S or ASiC-E
 * @property {string} toBeSigned base64, from the service
 * @property {string} draft base64, from the service
 * @property {string} [name] the file's name, for the person to recognise
 * @property {"first" | "counter"} [act] counter: upon the signature over the document in the draft
 * @property {{document: string, name?: string}[]} [beside] more documents under the same signature,
 *   in the order in which the container has them; agents since 1.3.0
 *
 * @typedef {Object} Confirmation
 * @property {string} platform name of the platform that asks
 * @property {string[]} acts one line each
 *
 * @typedef {{signal?: AbortSignal}} CallOptions
 */

export const DEFAULT_PORT = 61235;
export const PROTOCOL = 1;

/** States for the refusals of the agent, by their codes; the longest prefix counts. */
const STATES = /** @type {Record<string, AgentState>} */ ({
  "origin.unknown": "origin-unknown",
  "origin.refused": "origin-refused",
  "agent.busy": "busy",
  "agent.paused": "busy",
  "request.too-many": "busy",
  "agent.cancelled": "cancelled",
  "agent.timed-out": "timed-out",
  "token.missing": "no-token",
  "token.none": "no-token",
  "token.no-library": "no-token",
  "token.pin-wrong": "wrong-pin",
  "token.locked": "locked",
  "token.": "failed",
  "card.no-certificate": "no-certificate",
  "agent.": "failed",
});

/** Why a call did not succeed. `state` is from a closed list; `code` is the agent's own. */
export class AgentError extends Error {
  /**
   * @param {AgentState} state
   * @param {string} code
   * @param {string} detail
   * @param {Record<string, any>} [facts]
   */
  constructor(state, code, detail, facts = {}) {
    super(detail);
    this.name = "AgentError";
    this.state = state;
    this.code = code;
    this.detail = detail;
    this.facts = facts;
  }

  /** How many wrong PINs the token still takes; null when it does not tell. */
  get triesLeft() {
    const tries = this.facts.tries_left;
    return typeof tries === "number" ? tries : null;
  }

  /**
   * After a wrong PIN, as far as the token tells; null when it does not.
   * @returns {"one" | "few" | null}
   */
  get tries() {
    const { tries } = this.facts;
    return tries === "one" || tries === "few" ? tries : null;
  }
}

export class PortSealAgent {
  /**
   * @param {{port?: number, minimumVersion?: string}} options `port`: where the agent listens on
   *   loopback; `minimumVersion`: the oldest agent that the page can work with
   */
  constructor({ port = DEFAULT_PORT, minimumVersion = "0" } = {}) {
    this.address = `http://127.0.0.1:${port}`;
    this.minimumVersion = minimumVersion;
  }

  /**
   * The agent as the page's server wants it: `data-agent-port` and `data-agent-minimum`.
   * @param {HTMLElement} element
   */
  static of(element) {
    const { agentPort, agentMinimum } = element.dataset;
    return new PortSealAgent({
      port: agentPort ? Number(agentPort) : DEFAULT_PORT,
      minimumVersion: agentMinimum ?? "0",
    });
  }

  /**
   * Whether asking for the agent now would make the browser ask its user first.
   * @returns {Promise<boolean>}
   */
  static async wouldAskUser() {
    if (["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) return false;
    return (await loopbackPermission()) === "prompt";
  }

  /**
   * Whether the agent is there and knows this origin. Never rejects, but for an abort.
   * @param {CallOptions} [options]
   * @returns {Promise<{state: AgentState, version: string | null, error: AgentError | null}>}
   */
  async status(options) {
    let told;
    try {
      told = await this.#call("status", {}, options);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { state: error.state, version: null, error };
    }
    const version = String(told.version);
    if (told.protocol !== PROTOCOL || isOlder(version, this.minimumVersion)) {
      return { state: "too-old", version, error: tooOld(version, this.minimumVersion) };
    }
    if (told.origin === "allowed") return { state: "ready", version, error: null };
    const refused = told.origin === "refused";
    const error = refused
      ? new AgentError("origin-refused", "origin.refused", "the user refused this origin")
      : new AgentError("origin-unknown", "origin.unknown", "the user was not asked yet");
    return { state: error.state, version, error };
  }

  /**
   * `status`, and the first-use question where it is needed.
   * @param {CallOptions} [options]
   * @returns {Promise<{version: string}>}
   */
  async ready(options) {
    const seen = await this.status(options);
    if (seen.state === "origin-unknown") await this.connect(options);
    else if (seen.error !== null) throw seen.error;
    return { version: String(seen.version) };
  }

  /**
   * Ask the user, in the agent's window, whether this origin may use the agent.
   * @param {CallOptions} [options]
   * @returns {Promise<{origin: "allowed"}>}
   */
  connect(options) {
    return this.#call("connect", {}, options);
  }

  /**
   * The tokens that are plugged in, with the certificates that this origin may see.
   * @param {CallOptions} [options]
   * @returns {Promise<{tokens: Token[]}>}
   */
  async tokens(options) {
    const { tokens } = await this.#call("tokens", {}, options);
    return { tokens: tokens.map(asToken) };
  }

  /**
   * Make a blank token ready. The user chooses its PIN in the agent's window.
   * @param {{token: string, label: string, recoveryKey?: JsonWebKey}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{token: Token, recovery: string | null}>}
   */
  async initialise({ token, label, recoveryKey }, options) {
    const body = { token, label, recovery_key: recoveryKey ?? null };
    const made = await this.#call("initialise", body, options);
    return { token: asToken(made.token), recovery: made.recovery };
  }

  /**
   * A PKCS#10 request by a key that is on the token, which is made there when needed.
   * @param {{token: string, suite?: string, purpose?: "enrol" | "renew" | "rekey"}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{pkcs10: string, key: string}>}
   */
  makeKey({ token, suite = "ecdsa-p256-sha256", purpose = "enrol" }, options) {
    return this.#call("make_key", { token, suite, purpose }, options);
  }

  /**
   * Write what was issued beside its key. The holder's certificate stands first.
   * @param {{token: string, certificates: string[]}} what base64 of DER
   * @param {CallOptions} [options]
   * @returns {Promise<{certificates: Certificate[]}>}
   */
  async writeCertificates({ token, certificates }, options) {
    const told = await this.#call("write_certificates", { token, certificates }, options);
    return { certificates: told.certificates.map(asCertificate) };
  }

  /**
   * A transport key on the token for an encryption key, with the card's signature for it.
   * @param {{token: string, certificate: string, purpose?: string}} what `certificate`: id of the
   *   signing one; `purpose`: `encryption-key`, or `recovery SERIAL`
   * @param {CallOptions} [options]
   * @returns {Promise<{transportKey: string, signature: string}>} base64
   */
  async makeTransportKey({ token, certificate, purpose = "encryption-key" }, options) {
    const body = { token, certificate, purpose };
    const told = await this.#call("make_transport_key", body, options);
    return { transportKey: told.transport_key, signature: told.signature };
  }

  /**
   * Bring an encryption key that the key centre made onto the token (docs/key-centre.md).
   * @param {{token: string, certificate: string, envelope: string}} what base64
   * @param {CallOptions} [options]
   * @returns {Promise<{certificate: Certificate}>}
   */
  async installEncryptionKey({ token, certificate, envelope }, options) {
    const body = { token, certificate, envelope };
    const told = await this.#call("install_encryption_key", body, options);
    return { certificate: asCertificate(told.certificate) };
  }

  /**
   * An authentication token of the Web eID scheme for this page's origin. With `confirm`, as the
   * service's challenge has it, the agent shows the acts and the card signs them (agents from 1.3).
   * @param {{nonce: string, certificate?: string | null, confirm?: Confirmation | null}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{token: Record<string, string>, certificate: Certificate}>}
   */
  async signIn({ nonce, certificate = null, confirm = null }, options) {
    const body = { nonce, certificate, ...(confirm && { confirm }) };
    const told = await this.#call("sign_in", body, options);
    return { token: told.token, certificate: asCertificate(told.certificate) };
  }

  /**
   * The card's word for the new key on its own token, as `POST /api/v1/renewals/{id}` takes it.
   * @param {{certificate: string, key: string, challenge: string}} what `certificate`: id of the
   *   card's own; `key`: label that `makeKey` told; `challenge`: the service's
   * @param {CallOptions} [options]
   * @returns {Promise<{signature: string}>} base64
   */
  signRenewal({ certificate, key, challenge }, options) {
    return this.#call("sign_renewal", { certificate, key, challenge }, options);
  }

  /**
   * Show a document to the user and sign what the service prepared for it.
   * @param {ToSign & {certificate: string}} what `certificate`: its id
   * @param {CallOptions} [options]
   * @returns {Promise<{signatureValue: string, suite: string}>}
   */
  async sign({ certificate, ...item }, options) {
    const told = await this.#call("sign", { certificate, ...asItem(item) }, options);
    return { signatureValue: told.signature_value, suite: told.suite };
  }

  /**
   * Sign several documents after one question, with one PIN.
   * @param {{certificate: string, items: ToSign[]}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{signatureValues: string[]}>} in the order of the items
   */
  async signBundle({ certificate, items }, options) {
    const body = { certificate, items: items.map(asItem) };
    const told = await this.#call("sign_bundle", body, options);
    return { signatureValues: told.signature_values };
  }

  /**
   * Sign documents for several agencies with one signature over the root of their Merkle tree, as
   * `POST /api/v1/bundles/prepare` gives it; agents since 1.3.0.
   * @param {{certificate: string, proofs: string[], toBeSigned: string,
   *   parts: {document: string, recipient: string, name?: string}[]}} what in one order
   * @param {CallOptions} [options]
   * @returns {Promise<{signatureValue: string, suite: string}>}
   */
  async signTree({ certificate, parts, proofs, toBeSigned }, options) {
    const body = { certificate, parts: parts.map(named), proofs, to_be_signed: toBeSigned };
    const told = await this.#call("sign_tree", body, options);
    return { signatureValue: told.signature_value, suite: told.suite };
  }

  /**
   * Let the user change the PIN, in the agent's window.
   * @param {{token: string}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{}>}
   */
  changePin({ token }, options) {
    return this.#call("change_pin", { token }, options);
  }

  /**
   * Let the user set a new PIN, with the authority's `envelope` and the one-time secret, or with
   * the unblocking code that came with the token.
   * @param {{token: string, envelope?: string, recoveryKey?: JsonWebKey}} what
   * @param {CallOptions} [options]
   * @returns {Promise<{recovery: string | null}>}
   */
  unlock({ token, envelope, recoveryKey }, options) {
    const body = { token, envelope: envelope ?? null, recovery_key: recoveryKey ?? null };
    return this.#call("unlock", body, options);
  }

  /**
   * Whether this agent can tell this page's service that the USB key is plugged in. Not an agent
   * that is older than this, nor one that does not reach the service.
   * @param {CallOptions} [options]
   * @returns {Promise<boolean>}
   */
  async canWatch(options) {
    try {
      return (await this.#call("can_watch", {}, options)).can_watch === true;
    } catch (error) {
      if (error instanceof AgentError && error.code === "method.unknown") return false;
      throw error;
    }
  }

  /**
   * Let the session end when the USB key is pulled. The secret is the service's, for this session.
   * @param {{certificate: string, secret: string, everySeconds: number}} what `certificate`: id of
   *   the one that signed in
   * @param {CallOptions} [options]
   * @returns {Promise<{}>}
   */
  watch({ certificate, secret, everySeconds }, options) {
    return this.#call("watch", { certificate, secret, every_seconds: everySeconds }, options);
  }

  /**
   * @param {string} method
   * @param {object} body
   * @param {CallOptions} options
   * @returns {Promise<any>}
   */
  async #call(method, body, { signal } = {}) {
    let response;
    try {
      response = await fetch(`${this.address}/v1/${method}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        mode: "cors",
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal,
      });
    } catch (error) {
      if (signal?.aborted) throw new AgentError("cancelled", "page.aborted", "the page gave up");
      throw await unreachable();
    }
    const told = await response.json().catch(() => null);
    if (response.ok && isObject(told)) return told;
    throw isObject(told) && typeof told.code === "string"
      ? new AgentError(stateOf(told.code), told.code, String(told.detail), told.facts ?? {})
      : new AgentError("failed", "agent.answer", "the answer is not one of a key agent");
  }
}

/** The agent does not answer, or the browser did not let the page ask. */
async function unreachable() {
  return (await loopbackPermission()) === "denied"
    ? new AgentError("blocked", "browser.blocked", "the browser refused access")
    : new AgentError("missing", "agent.missing", "no key agent answers on this computer");
}

/**
 * What the browser's Local Network Access says; null where there is no such thing.
 * @returns {Promise<PermissionState | null>}
 */
async function loopbackPermission() {
  for (const name of ["loopback-network", "local-network-access"]) {
    try {
      const asked = /** @type {any} */ ({ name });
      return (await navigator.permissions.query(asked)).state;
    } catch {
      // This browser does not know the permission by this name.
    }
  }
  return null;
}

/** @param {string} code @returns {AgentState} */
function stateOf(code) {
  if (code in STATES) return STATES[code];
  return STATES[code.slice(0, code.indexOf(".") + 1)] ?? "refused";
}

/** @param {string} version @param {string} minimum */
export function isOlder(version, minimum) {
  const [have, need] = [version, minimum].map((each) => each.split(".").map(Number));
  for (let place = 0; place < Math.max(have.length, need.length); place += 1) {
    const difference = (have[place] ?? 0) - (need[place] ?? 0);
    if (difference !== 0) return !(difference > 0);
  }
  return false;
}

/**
 * What asks for more than an older agent does is not begun with one.
 * @param {string} version the agent's
 * @param {string} minimum
 */
export function requireVersion(version, minimum) {
  if (isOlder(version, minimum)) throw tooOld(version, minimum);
}

/** @param {string} version @param {string} minimum */
function tooOld(version, minimum) {
  const facts = { version, minimum };
  return new AgentError("too-old", "agent.too-old", "the key agent is too old", facts);
}

/** @param {unknown} value @returns {value is Record<string, any>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {ToSign} item */
function asItem({ document, format, toBeSigned, draft, name, act, beside }) {
  const item = { document, format, to_be_signed: toBeSigned, draft, name: name ?? null };
  const more = beside === undefined ? {} : { beside: beside.map(named) };
  return act === undefined ? { ...item, ...more } : { ...item, ...more, act };
}

/**
 * @template {{name?: string}} T
 * @param {T} body
 */
function named(body) {
  return { ...body, name: body.name ?? null };
}

/** @param {any} told @returns {Certificate} */
function asCertificate(told) {
  const { not_before, not_after, has_key, ...same } = told;
  return { ...same, notBefore: not_before, notAfter: not_after, hasKey: has_key };
}

/** @param {any} told @returns {Token} */
function asToken(told) {
  const { pin_tries, certificates, ...same } = told;
  return { ...same, pinTries: pin_tries, certificates: certificates.map(asCertificate) };
}
