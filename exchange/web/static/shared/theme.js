// Dark or light: as the system has it, until somebody chooses.

const KEY = "exchange-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export const theme = () => localStorage.getItem(KEY) ?? (dark.matches ? "dark" : "light");

function apply() {
  document.documentElement.dataset.theme = theme();
  dispatchEvent(new Event("themechange"));
}

export function toggleTheme() {
  localStorage.setItem(KEY, theme() === "dark" ? "light" : "dark");
  apply();
}

// Return a color of the style sheet, by the name of its custom property.
export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

dark.addEventListener("change", apply);
apply();
