// Dialogs that hand the focus back to where it was, so that who has no mouse goes on from there.

// Open a dialog, and return what closes it: an element that is merely taken away keeps the focus.
export function openDialog(dialog) {
  dialog.showModal();
  return () => dialog.close();
}
