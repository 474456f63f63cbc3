// The chat on any web page: a button at its lower edge, and the chat in a frame above it.
//
//   <script src="https://chat.example/widget.js" data-language="en" defer></script>
//
// data-bot names one of several bots, data-language is "en" or "zh" (else the page's own), data-colour is the
// button's. The page needs script-src and frame-src for this address and nothing else: no style or script is written
// into it, no cookie is set, and nothing is loaded before somebody opens the chat.
(() => {
  const script = document.currentScript;
  const origin = new URL(script.src).origin;
  const asked = script.dataset.language || document.documentElement.lang || navigator.language;
  const language = asked.toLowerCase().startsWith("zh") ? "zh" : "en";
  const words = {
    en: { open: "Ask a question", close: "Close the chat", chat: "Chat with customer service" },
    zh: { open: "咨询客服", close: "关闭对话", chat: "在线客服" },
  }[language];

  const styles = new CSSStyleSheet();
  styles.replaceSync(`
    :host { all: initial; }
    button {
      position: fixed; inset: auto 1rem 1rem auto; z-index: 2147483646; min-height: 3rem; padding: 0 1.25rem;
      border: 0; border-radius: 1.5rem; background: ${CSS.supports("color", script.dataset.colour || "")
        ? script.dataset.colour : "#0f766e"}; color: #fff; font: 600 1rem system-ui, sans-serif; cursor: pointer;
      box-shadow: 0 2px 12px rgb(0 0 0 / .3);
    }
    button:focus-visible { outline: 3px solid #fff; outline-offset: -6px; }
    iframe {
      position: fixed; inset: auto 1rem 5rem auto; z-index: 2147483647; width: 25rem; height: min(40rem, calc(100dvh - 6rem));
      border: 0; border-radius: .75rem; background: #fff; box-shadow: 0 4px 24px rgb(0 0 0 / .35);
    }
    [hidden] { display: none; }
    @media (max-width: 30rem) {
      iframe { inset: 0 0 4.5rem 0; width: 100%; height: calc(100dvh - 4.5rem); border-radius: 0; }
      button { inset: auto .5rem .75rem auto; }
    }
  `);

  const host = document.createElement("chatbot-widget");
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [styles];
  const button = document.createElement("button");
  button.type = "button";
  root.append(button);
  let frame = null;

  function show(open) {
    if (open && !frame) {
      frame = document.createElement("iframe");
      frame.title = words.chat;
      frame.allow = "clipboard-write";
      const bot = script.dataset.bot ? `/bots/${encodeURIComponent(script.dataset.bot)}/` : "/";
      frame.src = `${origin}${bot}?language=${language}`;
      root.prepend(frame);
    }
    if (frame) frame.hidden = !open;
    button.textContent = open ? words.close : words.open;
    button.setAttribute("aria-expanded", open);
    if (open) frame.focus();
  }

  button.addEventListener("click", () => show(!frame || frame.hidden));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && frame && !frame.hidden) show(false), button.focus();
  });
  host.lang = language === "zh" ? "zh-CN" : "en";
  show(false);
  const put = () => document.body.append(host);
  document.body ? put() : document.addEventListener("DOMContentLoaded", put);
})();
