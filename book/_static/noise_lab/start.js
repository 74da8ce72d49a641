// Starts the noise lab where it can run, and says why not where it cannot. A plain script: pages that are opened as
// files may not load modules.
const LAB = new URL("./lab.mjs", document.currentScript.src);
document.addEventListener("DOMContentLoaded", async () => {
  const says = document.getElementById("lab-says");
  if (!says) return; // the build lacked what the lab needs, and the page says so
  if (location.protocol === "file:") {
    says.textContent =
      "The instruments cannot start: a page that is opened as a file may not load networks. Serve the book by " +
      "“python -m http.server -b 127.0.0.1 -d _build/html” and open http://127.0.0.1:8000/book/noise_lab.html.";
  } else if (!("WebAssembly" in window) || !("Worker" in window)) {
    says.textContent = "The instruments cannot start: this browser lacks WebAssembly, or has it turned off.";
  } else {
    try {
      await (await import(LAB)).start();
    } catch (error) {
      says.textContent = `The instruments cannot start: ${error.message}. Reload the page to try again.`;
    }
  }
});
