"""The built-in pair of scripts: a tree of files with their checksums on each volume, and whether it is still there.

One line for each volume says what was found: `check-state {"volume": "runtime-state", "marker": "kept", ...}`. The
simulator does the same in Python (simulator/check_jobs.py); a test reads what the one wrote with the other.
"""

from __future__ import annotations

FOLDER = ".mina-infra-check"
"""Folder of a volume that holds the tree: `run`, `height`, `tree/`, and `sums` of all of them."""

LOST = 42
"""Exit code of a script that found state missing or damaged; a Job that ends with it is not tried again."""

# The folder is put in place in one move, so that a script that is killed leaves the old tree or the new one. The same
# run again finds its own tree and writes nothing.
SETUP = f"""\
for volume in $VOLUMES; do
  folder="$volume/{FOLDER}"
  if [ "$(cat "$folder/run" 2>/dev/null)" != "$RUN" ] || ! (cd "$folder" && sha256sum -c sums >/dev/null 2>&1); then
    rm -rf "$folder.new"
    mkdir -p "$folder.new/tree/a/b"
    for file in one a/two a/b/three; do
      head -c 65536 /dev/urandom > "$folder.new/tree/$file"
    done
    echo "$RUN" > "$folder.new/run"
    echo "$HEIGHT" > "$folder.new/height"
    (cd "$folder.new" && sha256sum run height tree/one tree/a/two tree/a/b/three > sums)
    rm -rf "$folder"
    mv "$folder.new" "$folder"
    sync
  fi
  digest="$(sha256sum "$folder/sums" | cut -c 1-64)"
  echo "check-state {{\\"volume\\": \\"${{volume##*/}}\\", \\"marker\\": \\"written\\", \\"run\\": \\"$RUN\\", \
\\"height\\": \\"$HEIGHT\\", \\"digest\\": \\"$digest\\"}}"
done
"""

VERIFY = f"""\
code=0
for volume in $VOLUMES; do
  folder="$volume/{FOLDER}"
  found="$(cat "$folder/run" 2>/dev/null | tr -cd 0-9a-f)" || true
  height="$(cat "$folder/height" 2>/dev/null | tr -cd 0-9)" || true
  digest="$(sha256sum "$folder/sums" 2>/dev/null | cut -c 1-64)" || true
  marker=kept
  if [ -z "$found" ]; then
    marker=lost
  elif ! (cd "$folder" && sha256sum -c sums >/dev/null 2>&1); then
    marker=damaged
  elif [ "$found" != "$RUN" ]; then
    marker=older
  fi
  echo "check-state {{\\"volume\\": \\"${{volume##*/}}\\", \\"marker\\": \\"$marker\\", \\"run\\": \\"$found\\", \
\\"height\\": \\"$height\\", \\"digest\\": \\"$digest\\"}}"
  [ "$marker" = kept ] || code={LOST}
done
exit "$code"
"""

BUILT_IN = {"setup": SETUP, "verify": VERIFY}
