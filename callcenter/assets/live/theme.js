/** The dark-mode button. The choice is a cookie, so that the server's first byte already has the right colours. */

const button = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const YEAR_SECONDS = 31_536_000;

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : system.matches;
}

function show() {
  button.setAttribute("aria-pressed", String(isDark()));
}

button.addEventListener("click", () => {
  const dark = !isDark();
  // What the system wants anyway is no choice of its own: the page follows the system again.
  const theme = dark === system.matches ? "" : dark ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
  const age = theme ? YEAR_SECONDS : 0;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax${secure}`;
  show();
});
system.addEventListener("change", show);
show();
