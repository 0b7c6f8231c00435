from .two_stream_sampler import Draw, TwoStreamSampler

__all__ = ['Draw', 'TwoStreamSampler']
