# Two commands are enough on a fresh machine: `make demo` and `make test`. They need Python 3.11+, pip and make.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test browser test-slow test-milvus milvus-server lint bench accuracy results characters speech voices faces clean

demo: .stamp-run
	$(BIN)/lowshot demo

# Two workers are two threads already: more would wait for each other.
test: .stamp-dev lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow and not milvus" -n 2

# What the tests of the page open it with. Where it is not there, and may not be installed, they are skipped.
browser:
	command -v chromium || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -qq --no-install-recommends chromium; } \
		|| echo "no chromium, and it could not be installed: the tests of the page will be skipped"

test-slow: .stamp-dev
	$(BIN)/pytest -m slow

# The stores' contract, on a real Milvus server that the tests start.
test-milvus: .stamp-dev .milvus
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "milvus and not slow" tests/gallery

milvus-server: .stamp-dev .milvus
	$(BIN)/python tests/gallery/milvus_server.py

# The server's package stays out of .venv: its files are read, not imported.
.milvus: | .venv
	rm -rf $@.part
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@.part milvus==2.3.5
	mv $@.part $@

lint: .stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .stamp-dev
	$(PIP) --editable '.[bench]'
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/speed.py

accuracy: .stamp-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/accuracy.py characters prototypical siamese

results: .stamp-dev
	$(BIN)/python -m lowshot.evaluate.results

clean:
	rm -rf .venv .milvus .stamp-* build dist src/*.egg-info

.venv:
	$(PYTHON) -m venv .venv

.stamp-run: pyproject.toml constraints.txt | .venv
	$(PIP) --editable .
	touch $@

.stamp-dev: pyproject.toml constraints.txt | .venv
	$(PIP) --editable '.[dev]'
	$(PIP) --no-deps openwakeword==0.5.1 resemblyzer==0.1.4
	touch $@ .stamp-run

# Trains the character encoder anew: an hour on one core. (The shipped one was validated by the clock, four minutes apart;
# this validates at fixed steps, so it may keep the weights of another of the last thousands of steps.)
CHARACTERS := src/lowshot/encoder/files/characters.onnx
characters: .stamp-dev
	OMP_NUM_THREADS=1 $(BIN)/lowshot train 'omniglot:background?alphabet!=Bengali,Hebrew&rotations=4' \
		--val 'omniglot:background?alphabet=Bengali,Hebrew' --method prototypical --out characters.onnx --steps 11000 \
		--set network=stem --set size=42 --set filters=96 --set distance=cosine --set average=0.999 \
		--set distortion.rotate=15 --set distortion.scale=0.15 --set distortion.shear=0.25 --set distortion.shift=0.12 \
		--set distortion.elastic=0.045 --set val_within=alphabet
	$(BIN)/python -c "from pathlib import Path; from lowshot.encoder import recommend_views as views; \
		file = Path('characters.onnx'); file.write_bytes(views(file.read_bytes(), 'shifts'))"
	mv characters.onnx $(CHARACTERS)

# The background features in the files of two encoders, which change none of their others: words that are no digits, and people
# who say two words or more.
speech: DATA := speech_commands?word!=zero,one,two,three,four,five,six,seven,eight,nine
voices: DATA := speech_commands:speakers?least=2
speech voices: .stamp-dev
	$(BIN)/python -c "import numpy as np; from lowshot import Encoder, load; encoder = Encoder.load('$@'); \
		examples = load('$(DATA)', encoder.card.form); \
		features = encoder.embed(examples.items).astype(np.float16); \
		np.savez_compressed('src/lowshot/encoder/files/$@_background.npz', features=features, labels=examples.labels)"

# Trains the face encoder of examples/faces.py anew, on the 96 people with 15 photographs or more: a quarter of an hour on
# one core.
FACES := examples/faces.onnx
faces: .stamp-dev
	OMP_NUM_THREADS=1 $(BIN)/lowshot train 'lfw?least=15' --val 'lfw?least=12&most=14' --method prototypical \
		--out faces.onnx --steps 2000 --set network=stem --set size=48 --set filters=96 --set ways=48 --set queries=3 \
		--set distortion.flip=0.5 --set val_ways=31
	$(BIN)/python -c "from pathlib import Path; from lowshot.encoder import recommend_views as views; \
		file = Path('faces.onnx'); file.write_bytes(views(file.read_bytes(), 'flip'))"
	mv faces.onnx $(FACES)
