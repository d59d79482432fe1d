import { useState } from "react";

/** Follows the system until it is clicked. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(document.documentElement.dataset["theme"]);
  const dark = theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
  const toggle = () => {
    const next = dark ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    localStorage.setItem("evert-theme", next);
    setTheme(next);
  };
  return (
    <button type="button" className="theme" aria-label={dark ? "Light theme" : "Dark theme"} onClick={toggle}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" />
        <path d="M8 2a6 6 0 0 1 0 12z" />
      </svg>
    </button>
  );
}
