export const DEFAULT_PORT: 61235;
export const PROTOCOL: 1;
export class PortSealAgent {
    /**
     * The agent as the page's server wants it: `data-agent-port` and `data-agent-minimum`.
     * @param {HTMLElement} element
     */
    static of(element: HTMLElement): PortSealAgent;
    /**
     * Whether asking for the agent now would make the browser ask its user first.
     * @returns {Promise<boolean>}
     */
    static wouldAskUser(): Promise<boolean>;
    /**
     * @param {{port?: number, minimumVersion?: string}} options `port`: where the agent listens on
     *   loopback; `minimumVersion`: the oldest agent that the page can work with
     */
    constructor({ port, minimumVersion }?: {
        port?: number;
        minimumVersion?: string;
    });
    address: string;
    minimumVersion: string;
    /**
     * Whether the agent is there and knows this origin. Never rejects, but for an abort.
     * @param {CallOptions} [options]
     * @returns {Promise<{state: AgentState, version: string | null, error: AgentError | null}>}
     */
    status(options?: CallOptions | undefined): Promise<{
        state: AgentState;
        version: string | null;
        error: AgentError | null;
    }>;
    /**
     * `status`, and the first-use question where it is needed.
     * @param {CallOptions} [options]
     * @returns {Promise<{version: string}>}
     */
    ready(options?: CallOptions | undefined): Promise<{
        version: string;
    }>;
    /**
     * Ask the user, in the agent's window, whether this origin may use the agent.
     * @param {CallOptions} [options]
     * @returns {Promise<{origin: "allowed"}>}
     */
    connect(options?: CallOptions | undefined): Promise<{
        origin: "allowed";
    }>;
    /**
     * The tokens that are plugged in, with the certificates that this origin may see.
     * @param {CallOptions} [options]
     * @returns {Promise<{tokens: Token[]}>}
     */
    tokens(options?: CallOptions | undefined): Promise<{
        tokens: Token[];
    }>;
    /**
     * Make a blank token ready. The user chooses its PIN in the agent's window.
     * @param {{token: string, label: string, recoveryKey?: JsonWebKey}} what
     * @param {CallOptions} [options]
     * @returns {Promise<{token: Token, recovery: string | null}>}
     */
    initialise({ token, label, recoveryKey }: {
        token: string;
        label: string;
        recoveryKey?: JsonWebKey;
    }, options?: CallOptions | undefined): Promise<{
        token: Token;
        recovery: string | null;
    }>;
    /**
     * A PKCS#10 request by a key that is on the token, which is made there when needed.
     * @param {{token: string, suite?: string, purpose?: "enrol" | "renew" | "rekey"}} what
     * @param {CallOptions} [options]
     * @returns {Promise<{pkcs10: string, key: string}>}
     */
    makeKey({ token, suite, purpose }: {
        token: string;
        suite?: string;
        purpose?: "enrol" | "renew" | "rekey";
    }, options?: CallOptions | undefined): Promise<{
        pkcs10: string;
        key: string;
    }>;
    /**
     * Write what was issued beside its key. The holder's certificate stands first.
     * @param {{token: string, certificates: string[]}} what base64 of DER
     * @param {CallOptions} [options]
     * @returns {Promise<{certificates: Certificate[]}>}
     */
    writeCertificates({ token, certificates }: {
        token: string;
        certificates: string[];
    }, options?: CallOptions | undefined): Promise<{
        certificates: Certificate[];
    }>;
    /**
     * A transport key on the token for an encryption key, with the card's signature for it.
     * @param {{token: string, certificate: string, purpose?: string}} what `certificate`: id of the
     *   signing one; `purpose`: `encryption-key`, or `recovery SERIAL`
     * @param {CallOptions} [options]
     * @returns {Promise<{transportKey: string, signature: string}>} base64
     */
    makeTransportKey({ token, certificate, purpose }: {
        token: string;
        certificate: string;
        purpose?: string;
    }, options?: CallOptions | undefined): Promise<{
        transportKey: string;
        signature: string;
    }>;
    /**
     * Bring an encryption key that the key centre made onto the token (docs/key-centre.md).
     * @param {{token: string, certificate: string, envelope: string}} what base64
     * @param {CallOptions} [options]
     * @returns {Promise<{certificate: Certificate}>}
     */
    installEncryptionKey({ token, certificate, envelope }: {
        token: string;
        certificate: string;
        envelope: string;
    }, options?: CallOptions | undefined): Promise<{
        certificate: Certificate;
    }>;
    /**
     * An authentication token of the Web eID scheme for this page's origin. With `confirm`, as the
     * service's challenge has it, the agent shows the acts and the card signs them (agents from 1.3).
     * @param {{nonce: string, certificate?: string | null, confirm?: Confirmation | null}} what
     * @param {CallOptions} [options]
     * @returns {Promise<{token: Record<string, string>, certificate: Certificate}>}
     */
    signIn({ nonce, certificate, confirm }: {
        nonce: string;
        certificate?: string | null;
        confirm?: Confirmation | null;
    }, options?: CallOptions | undefined): Promise<{
        token: Record<string, string>;
        certificate: Certificate;
    }>;
    /**
     * The card's word for the new key on its own token, as `POST /api/v1/renewals/{id}` takes it.
     * @param {{certificate: string, key: string, challenge: string}} what `certificate`: id of the
     *   card's own; `key`: label that `makeKey` told; `challenge`: the service's
     * @param {CallOptions} [options]
     * @returns {Promise<{signature: string}>} base64
     */
    signRenewal({ certificate, key, challenge }: {
        certificate: string;
        key: string;
        challenge: string;
    }, options?: CallOptions | undefined): Promise<{
        signature: string;
    }>;
    /**
     * Show a document to the user and sign what the service prepared for it.
     * @param {ToSign & {certificate: string}} what `certificate`: its id
     * @param {CallOptions} [options]
     * @returns {Promise<{signatureValue: string, suite: string}>}
     */
    sign({ certificate, ...item }: ToSign & {
        certificate: string;
    }, options?: CallOptions | undefined): Promise<{
        signatureValue: string;
        suite: string;
    }>;
    /**
     * Sign several documents after one question, with one PIN.
     * @param {{certificate: string, items: ToSign[]}} what
     * @param {CallOptions} [options]
     * @returns {Promise<{signatureValues: string[]}>} in the order of the items
     */
    signBundle({ certificate, items }: {
        certificate: string;
        items: ToSign[];
    }, options?: CallOptions | undefined): Promise<{
        signatureValues: string[];
    }>;
    /**
     * Sign documents for several agencies with one signature over the root of their Merkle tree, as
     * `POST /api/v1/bundles/prepare` gives it; agents since 1.3.0.
     * @param {{certificate: string, proofs: string[], toBeSigned: string,
     *   parts: {document: string, recipient: string, name?: string}[]}} what in one order
     * @param {CallOptions} [options]
     * @returns {Promise<{signatureValue: string, suite: string}>}
     */
    signTree({ certificate, parts, proofs, toBeSigned }: {
        certificate: string;
        proofs: string[];
        toBeSigned: string;
        parts: {
            document: string;
            recipient: string;
            name?: string;
        }[];
    }, options?: CallOptions | undefined): Promise<{
        signatureValue: string;
        suite: string;
    }>;
    /**
     * Let the user change the PIN, in the agent's window.
     * @param {{token: string}} what
     * @param {CallOptions} [options]
     * @returns {Promise<{}>}
     */
    changePin({ token }: {
        token: string;
    }, options?: CallOptions | undefined): Promise<{}>;
    /**
     * Let the user set a new PIN, with the authority's `envelope` and the one-time secret, or with
     * the unblocking code that came with the token.
     * @param {{token: string, envelope?: string, recoveryKey?: JsonWebKey}} what
     * @param {CallOptions} [options]
     * @returns {Promise<{recovery: string | null}>}
     */
    unlock({ token, envelope, recoveryKey }: {
        token: string;
        envelope?: string;
        recoveryKey?: JsonWebKey;
    }, options?: CallOptions | undefined): Promise<{
        recovery: string | null;
    }>;
    /**
     * Whether this agent can tell this page's service that the USB key is plugged in. Not an agent
     * that is older than this, nor one that does not reach the service.
     * @param {CallOptions} [options]
     * @returns {Promise<boolean>}
     */
    canWatch(options?: CallOptions | undefined): Promise<boolean>;
    /**
     * Let the session end when the USB key is pulled. The secret is the service's, for this session.
     * @param {{certificate: string, secret: string, everySeconds: number}} what `certificate`: id of
     *   the one that signed in
     * @param {CallOptions} [options]
     * @returns {Promise<{}>}
     */
    watch({ certificate, secret, everySeconds }: {
        certificate: string;
        secret: string;
        everySeconds: number;
    }, options?: CallOptions | undefined): Promise<{}>;
    #private;
}
/**
 * PortSeal key agent: the client for web pages. No dependencies, no build step: this file, which
 * pages import, and the three `portseal-agent-*.js` beside it.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 */
export type AgentState = import("./portseal-agent-errors.js").AgentState;
/**
 * PortSeal key agent: the client for web pages. No dependencies, no build step: this file, which
 * pages import, and the three `portseal-agent-*.js` beside it.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 */
export type Certificate = import("./portseal-agent-messages.js").Certificate;
/**
 * PortSeal key agent: the client for web pages. No dependencies, no build step: this file, which
 * pages import, and the three `portseal-agent-*.js` beside it.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 */
export type Token = import("./portseal-agent-messages.js").Token;
/**
 * PortSeal key agent: the client for web pages. No dependencies, no build step: this file, which
 * pages import, and the three `portseal-agent-*.js` beside it.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 */
export type ToSign = import("./portseal-agent-messages.js").ToSign;
/**
 * PortSeal key agent: the client for web pages. No dependencies, no build step: this file, which
 * pages import, and the three `portseal-agent-*.js` beside it.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 */
export type Confirmation = import("./portseal-agent-messages.js").Confirmation;
/**
 * PortSeal key agent: the client for web pages. No dependencies, no build step: this file, which
 * pages import, and the three `portseal-agent-*.js` beside it.
 *
 * The agent runs on the user's own computer, shows what is asked for in a window of its own and
 * asks for the PIN there. Nothing here ever sees a PIN, and no method signs a bare digest.
 */
export type CallOptions = {
    signal?: AbortSignal;
};
import { AgentError } from "./portseal-agent-errors.js";
export { AgentError, isOlder, requireVersion } from "./portseal-agent-errors.js";
