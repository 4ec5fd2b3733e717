// Fills in where the inspector stands. Without it the two fields are typed by hand.
"use strict";
const button = document.getElementById("locate");
if (button && "geolocation" in navigator) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const say = (word) => { button.textContent = button.dataset[word]; };
    say("waiting");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        document.getElementById("lat_deg").value = coords.latitude.toFixed(5);
        document.getElementById("lng_deg").value = coords.longitude.toFixed(5);
        say("done");
      },
      () => say("failed"),
      { enableHighAccuracy: true, timeout: 15000, maximumAge: 0 },
    );
  });
}
