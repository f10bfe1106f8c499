#!/usr/bin/env bash
# Makes what docker/opensearch.yml and docker/elasticsearch.yml need and no repository may hold, once:
#   docker/.env  passwords and keys, at random
#   docker/tls/  an authority (ca.pem) and the certificate and key that it signed for both engines
# What is there is never changed; where nothing is missing, it says so and exits 1. The key of the
# authority is not kept, so nobody can sign with it later. To renew the certificate:
#   rm -r docker/tls && docker/secrets.sh
# usage: docker/secrets.sh [FOLDER]    FOLDER: in place of docker/
set -euo pipefail
umask 077
cd "${1:-"$(dirname "${BASH_SOURCE[0]}")"}"
here="$(pwd)"

readonly DAYS=825
readonly NAMES="DNS:localhost,DNS:opensearch,DNS:elasticsearch,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1"
readonly SECRETS="OPENSEARCH_ADMIN_PASSWORD DASHBOARDS_PASSWORD DASHBOARDS_COOKIE_KEY
  ELASTIC_PASSWORD KIBANA_PASSWORD KIBANA_SESSION_KEY KIBANA_OBJECTS_KEY KIBANA_REPORTING_KEY"

fail() {
    echo "secrets.sh: $1" >&2
    exit 1
}

write_env() {
    local name value
    for name in $SECRETS; do
        value="$(openssl rand -hex 24)"
        echo "$name=$value"
    done > .env.new
    mv .env.new .env
}

# openssl tells its progress on standard error, too: show it only where it fails
quiet() {
    "$@" 2> log || fail "$(cat log)"
}

new_key() {
    quiet openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

write_config() {
    cat > config <<END
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[node]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $NAMES
END
}

sign() {
    new_key ca-key.pem
    quiet openssl req -x509 -config config -extensions ca -key ca-key.pem -sha256 -days $DAYS \
        -subj "/CN=Kokeshi development authority" -out ca.pem
    new_key node-key.pem
    quiet openssl req -new -config config -key node-key.pem -subj "/CN=kokeshi-node" -out node.csr
    quiet openssl x509 -req -in node.csr -CA ca.pem -CAkey ca-key.pem -sha256 -days $DAYS \
        -set_serial "0x$(openssl rand -hex 15)" -extfile config -extensions node -out node.pem
    rm ca-key.pem node.csr config log
}

write_tls() {
    rm -rf tls.new
    mkdir tls.new
    (cd tls.new && write_config && sign)
    chmod 755 tls.new
    chmod 644 tls.new/ca.pem tls.new/node.pem
    mv tls.new tls
}

show() {
    cat <<END
To use OpenSearch and its Dashboards (http://127.0.0.1:5601, user admin):
  docker compose -f '$here/opensearch.yml' up --wait
  export KOKESHI_URL=https://127.0.0.1:9200 KOKESHI_CA_FILE='$here/tls/ca.pem' KOKESHI_USER=admin
  export KOKESHI_PASSWORD="\$(sed -n s/^OPENSEARCH_ADMIN_PASSWORD=//p '$here/.env')"

To use Elasticsearch and Kibana (http://127.0.0.1:5602, user elastic):
  docker compose -f '$here/elasticsearch.yml' up --wait
  export KOKESHI_URL=https://127.0.0.1:9201 KOKESHI_CA_FILE='$here/tls/ca.pem' KOKESHI_USER=elastic
  export KOKESHI_PASSWORD="\$(sed -n s/^ELASTIC_PASSWORD=//p '$here/.env')"
END
}

command -v openssl > /dev/null || fail "openssl is needed; install it"
[ ! -e .env ] || [ ! -e tls ] || fail "$here/.env and $here/tls exist already; nothing is changed"
[ -e .env ] || write_env
[ -e tls ] || write_tls
show
