# The same bundle for SageMaker Processing: linux/amd64 (no arm64 instances), and root, which owns /opt/ml/processing.
FROM public.ecr.aws/docker/library/node:24-slim
WORKDIR /app
COPY . /app/
ENTRYPOINT ["node", "/app/main.js"]
