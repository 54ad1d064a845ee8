//! The token endpoint with a point around its call.

use async_trait::async_trait;
use vega_domain::account::Api;
use vega_domain::failure::Failure;
use vega_domain::ports::{ExchangeError, TokenAnswer, TokenExchange};
use vega_domain::secret::{AuthorizationCode, RawAnswer};

use super::Hooked;

#[async_trait]
impl TokenExchange for Hooked<dyn TokenExchange> {
    async fn exchange(&self, api: &Api, code: &AuthorizationCode) -> Result<RawAnswer, ExchangeError> {
        self.around("exchange", self.port.exchange(api, code)).await
    }

    fn read(&self, answer: &RawAnswer) -> Result<TokenAnswer, Failure> {
        self.port.read(answer)
    }
}
