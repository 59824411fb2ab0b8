// What every page does in the browser: times in the reader's zone, the theme, a link that signs in, and forms that are sent once.

const ZONED = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      const text = ZONED.format(at);
      if (time.textContent !== text) time.textContent = text;
    }
  }
}

// Before anything is painted, so that a part that was just swapped in never shows another zone first.
new MutationObserver((changes) => {
  for (const change of changes) {
    const element = change.target.nodeType === Node.ELEMENT_NODE ? change.target : change.target.parentElement;
    if (element) localize(element.closest("time") ? element.closest("time").parentElement : element);
  }
}).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
localize(document);

// The theme is kept in a cookie, so that the server sends the next page in it.
const THEMES = ["auto", "light", "dark"];

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
    button.dataset.now = theme;
    for (const icon of button.querySelectorAll("[data-for]")) icon.toggleAttribute("hidden", icon.dataset.for !== theme);
  }
}

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-theme-toggle]");
  if (toggle) {
    const now = document.documentElement.dataset.theme;
    const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
    document.cookie = `cavra-theme=${next}; path=/console; max-age=31536000; samesite=strict`;
    showTheme(next);
  }
  const copy = event.target.closest("[data-copy]");
  if (copy && navigator.clipboard) {
    navigator.clipboard.writeText(copy.dataset.copy).then(() => {
      copy.textContent = "copied";
      setTimeout(() => { copy.textContent = "copy"; }, 1500);
    });
  }
});
showTheme(document.documentElement.dataset.theme);

// Where there is room, the menu is open; on a narrow screen it opens when asked for.
if (matchMedia("(max-width: 820px)").matches) document.querySelector(".side details")?.removeAttribute("open");

// A form is sent once: its button waits for the answer. Coming back to the page sets it free again.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

// "Choose all" over the checkboxes of its form that may be chosen.
document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-choose]");
  if (!all) return;
  for (const box of all.form.querySelectorAll(`input[type=checkbox][name="${all.dataset.choose}"]:not(:disabled)`)) {
    box.checked = all.checked;
  }
});

// What a sign-in link carries stands behind the #, which browsers send nowhere. It leaves the address before anything else happens.
const link = new URLSearchParams(location.hash.slice(1)).get("handover");
if (link) {
  history.replaceState(null, "", location.pathname + location.search);
  const form = document.getElementById("handover");
  if (form) {
    form.elements.handover.value = link;
    if (form.dataset.now) form.requestSubmit();
    else form.closest("[hidden]")?.removeAttribute("hidden");
  }
}

// A refused form opens at the field that is complained about.
document.querySelector("[data-focus]")?.focus();
