// Dialogs that hand the focus back to where it was, so that who has no mouse goes on from there.

// Open a dialog, and return what closes it: an element that is merely taken away keeps the focus.
//
// `onClose` is called when somebody wants it closed, and has to see that it is. A browser that closes
// it by itself tells so a moment later: by then the next dialog may be asked for, and would be closed.
export function openDialog(dialog, onClose) {
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  dialog.addEventListener("cancel", cancel);
  // Who presses Escape twice at once is not asked.
  dialog.addEventListener("close", onClose);
  dialog.showModal();
  return () => {
    dialog.removeEventListener("close", onClose);
    dialog.close();
  };
}
