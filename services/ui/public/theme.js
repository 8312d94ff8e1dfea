// Before the first paint: the theme somebody chose wins over the system's. src/lib/theme.ts writes the choice.
try {
  const chosen = localStorage.getItem("signalink.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is blocked: the system's theme it is.
}
