# CPU:  docker build -t xaicovid --build-arg TORCH_INDEX=<index of CPU wheels> .
# GPU:  docker build -t xaicovid --build-arg TORCH_INDEX=<index of wheels for your CUDA> .
#       docker run --gpus all --shm-size 8g -v "$PWD:/data" xaicovid train configs/quick/recommended_semi.py
# Without TORCH_INDEX, pip takes torch from its usual index: that build runs on the CPU, and on a GPU too.
FROM python:3.12-slim

ARG TORCH_INDEX=""

RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

RUN pip install --no-cache-dir 'torch>=2.10' 'torchvision>=0.25' ${TORCH_INDEX:+--index-url "$TORCH_INDEX"}

COPY . /src
RUN pip install --no-cache-dir /src && rm -rf /src

RUN useradd --create-home --uid 1000 xaicovid && mkdir /data && chown xaicovid /data
USER xaicovid
WORKDIR /data

ENTRYPOINT ["xaicovid"]
CMD ["--help"]
