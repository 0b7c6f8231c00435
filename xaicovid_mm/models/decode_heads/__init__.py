from .jcs_decode_head import JCSDecodeHead
from .saliency_bridge_head import SaliencyBridgeHead
from .unet_decode_head import UNetDecodeHead

__all__ = ['JCSDecodeHead', 'SaliencyBridgeHead', 'UNetDecodeHead']
