// Sets the chosen theme before the first paint.
try {
  const theme = localStorage.getItem("hostel.theme");
  if (theme === "light" || theme === "dark") document.documentElement.style.colorScheme = theme;
} catch {
  // Without storage the system's theme is used.
}
