#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* Variadic in rdkafka_mock.h, which Swift can not call: one error for the broker's next answer to a request of this kind. */
static inline rd_kafka_resp_err_t throughline_mock_push_error(
    rd_kafka_mock_cluster_t *cluster, int32_t broker, int16_t api_key, rd_kafka_resp_err_t code) {
  return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, api_key, 1, code, 0);
}
