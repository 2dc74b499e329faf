// For every page: a form is sent once, and not into nothing when the session has ended meanwhile.
// Without scripts the browser's own way back keeps what was typed.
"use strict";

(() => {
  const PERIOD = 10_000; // milliseconds between looks at the session, while the page is seen
  const AWAKE = 60_000; // while somebody types, the session is told at most so often
  const AGAIN = 10_000; // after which the same button may be pressed again

  const notice = document.querySelector("#session-notice");
  const sent = new WeakMap(); // button or form -> when
  let subject = null; // whose page this is
  let passed = null; // the form that may go
  let awake = 0;

  /** "here", "ended", "other" (somebody else is signed in) or "silent"; shown on the page. */
  async function look() {
    let told;
    try {
      const address = "/sso/session/standing";
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      told = answer.ok ? await answer.json() : null;
    } catch {
      told = null;
    }
    if (told === null) return "silent";
    subject ??= told.subject ?? null;
    if (!told.signed_in) return tell("ended", told.reason);
    return tell(told.subject === subject ? "here" : "other");
  }

  function tell(state, reason = "") {
    const before = notice.dataset.state ?? "here";
    if (state === before && state !== "silent") return state;
    notice.dataset.state = state;
    notice.hidden = state === "here" && before === "here";
    notice.className = `notice ${state === "here" ? "good" : "bad"}`;
    const words = notice.querySelector("p");
    const why = notice.getAttribute(`data-reason-${reason.replaceAll(".", "-")}`) ?? "";
    words.textContent = [why, notice.getAttribute(`data-${state}`)].filter(Boolean).join(" ");
    notice.querySelector("a").hidden = state === "here" || state === "silent";
    return state;
  }

  function isSentAgain(button) {
    const now = Date.now();
    if (now - (sent.get(button) ?? 0) < AGAIN) return true;
    sent.set(button, now);
    return false;
  }

  async function check(form, button) {
    const state = await look();
    if (state === "here") {
      passed = form;
      form.requestSubmit(button);
      return;
    }
    sent.delete(button ?? form);
    tell(state);
    notice.hidden = false;
    notice.focus();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    const button = event.submitter;
    if (passed === form) {
      passed = null;
      return;
    }
    if (isSentAgain(button ?? form)) {
      event.preventDefault();
    } else if (notice) {
      event.preventDefault();
      check(form, button);
    }
  });

  if (!notice) return;
  document.addEventListener("input", () => {
    if (Date.now() - awake < AWAKE || (notice.dataset.state ?? "here") !== "here") return;
    awake = Date.now();
    fetch("/sso/session").catch(() => {});
  });
  const lookIfSeen = () => document.visibilityState === "visible" && look();
  document.addEventListener("visibilitychange", lookIfSeen);
  window.addEventListener("pageshow", lookIfSeen);
  setInterval(lookIfSeen, PERIOD);
})();
