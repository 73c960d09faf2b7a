// In Locust's page: shows our page in our tab, and the verdict on the generator above the other tabs.
//
// Locust's page is React's. So nothing of it is changed here: a banner stands above it, and a frame is put behind what a
// tab contains. React leaves both alone. If anything here fails, Locust's page goes on without it.
"use strict";

(() => {
  const TAB = "socketio";
  const base = new URL("./", document.currentScript.src);
  const colours = { // as in live.css
    light: {
      good: ["#12652f", "#e2f3e7"], wrong: ["#ffffff", "#b3141b"],
      warning: ["#5c3d00", "#ffe9b8"], neutral: ["#1c1e21", "#e8edf2"],
    },
    dark: {
      good: ["#b6f0c6", "#123a20"], wrong: ["#ffffff", "#b3141b"],
      warning: ["#ffe1a1", "#4d3800"], neutral: ["#e7e9ec", "#272c32"],
    },
  };
  let banner, frame;

  const isOurs = () => new URLSearchParams(location.search).get("tab") === TAB;

  function place() {
    const tabs = document.querySelector('#root [role="tablist"]');
    const container = tabs && (tabs.closest(".MuiContainer-root") || tabs.parentElement);
    if (!container || !isOurs()) {
      if (frame) frame.remove(); // and its page asks for nothing any more
      frame = undefined;
    } else if (!frame || !frame.isConnected) {
      frame = document.createElement("iframe");
      frame.id = "socketio-bench-frame";
      frame.title = "Live figures of the Socket.IO load";
      frame.src = new URL("?embedded", base);
      frame.style.cssText = "display:block;width:100%;border:0;min-height:30rem";
      container.append(frame);
    }
    if (banner) banner.style.display = banner.dataset.wanted === "true" && !frame ? "block" : "none";
  }

  function isDark() { // as Locust's switch says, else as the browser does
    let chosen = null;
    try { chosen = localStorage.theme; } catch { /* it may be forbidden */ }
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function show(page) {
    if (!banner) {
      banner = document.createElement("a");
      banner.id = "socketio-bench-banner";
      banner.append(document.createElement("strong"), document.createElement("span"));
      document.body.prepend(banner);
    }
    const ofTheme = colours[isDark() ? "dark" : "light"];
    const [ink, ground] = ofTheme[page.banner.level] || ofTheme.neutral;
    const isWrong = page.banner.level === "wrong";
    banner.href = `?tab=${TAB}`;
    banner.dataset.level = page.banner.level;
    banner.dataset.wanted = String(page.state !== "waiting");
    banner.style.cssText =
      `position:sticky;top:0;z-index:1300;padding:${isWrong ? "0.9rem" : "0.4rem"} 1.5rem;color:${ink};` +
      `background:${ground};font:${isWrong ? "1.15rem" : "0.95rem"}/1.4 system-ui,sans-serif;text-decoration:none`;
    banner.firstChild.textContent = page.banner.title;
    banner.lastChild.textContent = page.banner.text ? ` – ${page.banner.text}` : "";
    place();
  }

  async function look() {
    try {
      if (!document.hidden) {
        const answer = await fetch(new URL("live.json?brief", base), { cache: "no-store" });
        if (answer.ok && !answer.redirected) show(await answer.json());
      }
    } catch { /* Locust has ended, or cannot be reached: its own page says so */ }
    setTimeout(look, 2000);
  }

  function start() {
    let isDue = false;
    new MutationObserver(() => {
      if (isDue) return;
      isDue = true;
      requestAnimationFrame(() => { isDue = false; place(); });
    }).observe(document.getElementById("root") || document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected"] });
    addEventListener("popstate", place);
    place();
    look();
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
