// Runs before anything is painted: a chosen theme must not flash the other one first.
const chosen = ((): string | null => {
  try {
    return localStorage.getItem('vipswap.theme')
  } catch {
    // Storage may be forbidden; the system's theme is then used.
    return null
  }
})()
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen

export {}
