# SPDX-License-Identifier: Apache-2.0
#
# make image fills bin/image, with one static binary and the folders that a
# program expects, and builds this from it. Nothing is pulled or compiled here.
#
#   docker run -p 127.0.0.1:8008:8008 touchstone --lab
#   docker run -p 127.0.0.1:8008:8008 -v touchstone:/data touchstone
#
# Settings are TOUCHSTONE_... variables; "docker run touchstone generate-config"
# explains them. The listener for other servers is off until it has an address
# (TOUCHSTONE_LISTENERS_FEDERATION_ADDRESS=:8448). The control plane of lab mode
# answers inside the container only, unless it is given an address that others
# reach (TOUCHSTONE_LISTENERS_LAB_ADDRESS=:8009) and told that they may
# (TOUCHSTONE_LISTENERS_LAB_ANYONE_MAY_CONTROL=true).

FROM scratch
LABEL org.opencontainers.image.title="Touchstone" \
      org.opencontainers.image.description="A Matrix homeserver, generated from the specification" \
      org.opencontainers.image.licenses="Apache-2.0"

# The user of /data. Give a folder of the host to 65532, or run as its owner.
COPY --chown=65532:65532 bin/image/ /
USER 65532:65532
WORKDIR /data

# The health check reads there where the server answers, whatever its flags. The
# folder can be written in every container, also under --read-only.
ENV TOUCHSTONE_LISTENERS_CLIENT_ADDRESS=:8008 TOUCHSTONE_READY_FILE=/dev/shm/touchstone.json
EXPOSE 8008 8009 8448
HEALTHCHECK --start-period=30s --start-interval=250ms --interval=15s --timeout=3s CMD ["/touchstone", "health"]
ENTRYPOINT ["/touchstone"]
